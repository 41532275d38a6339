import Foundation
import KVCompress
import KVFiles
import Testing

@Suite struct AtomicFileTests {
    @Test func createsAFile() throws {
        let scratch = try Scratch()
        // More than what is gathered, in pieces shorter and longer than that.
        let short = [UInt8](0..<200)
        let long = [UInt8](repeating: 7, count: 100_000)
        try AtomicFile.write(to: scratch["new"]) { writer throws(FileError) in
            for _ in 0..<500 { try writer.write(short) }
            try writer.write(long)
            try writer.write([UInt32(1), 2])
            #expect(writer.position == 200_008)
        }
        let expected =
            Array([[UInt8]](repeating: short, count: 500).joined()) + long + [
                1, 0, 0, 0, 2, 0, 0, 0,
            ]
        #expect(try Data(contentsOf: scratch["new"]) == Data(expected))
        #expect(try scratch.names == ["new"])
    }

    @Test func replacesAFileAndKeepsItsPermissions() throws {
        let scratch = try Scratch()
        let url = try scratch.file([1, 2, 3])
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: url.path)
        try AtomicFile.write(to: url) { writer throws(FileError) in try writer.write([UInt8(9)]) }
        #expect(try Data(contentsOf: url) == Data([9]))
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
    }

    @Test func followsALink() throws {
        let scratch = try Scratch()
        let url = try scratch.file([1])
        try FileManager.default.createSymbolicLink(at: scratch["link"], withDestinationURL: url)
        try AtomicFile.write(to: scratch["link"]) { writer throws(FileError) in
            try writer.write([UInt8(2)])
        }
        #expect(try Data(contentsOf: url) == Data([2]))
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: scratch["link"].path)
                == url.path)
    }

    @Test func failureInTheMiddleLeavesTheOldFile() throws {
        let scratch = try Scratch()
        let url = try scratch.file([1, 2, 3])
        expectRefusal(.damaged, "interrupted") {
            try AtomicFile.write(to: url) { writer throws(FileError) in
                try writer.write([UInt8](repeating: 0, count: 1 << 20))
                throw FileError(.damaged, url, "interrupted")
            }
        }
        #expect(try Data(contentsOf: url) == Data([1, 2, 3]))
        #expect(try scratch.names == ["file"])
    }

    @Test func failureInTheMiddleLeavesNoNewFile() throws {
        let scratch = try Scratch()
        let url = scratch["new"]
        _ = refusal {
            try AtomicFile.write(to: url) { writer throws(FileError) in
                try writer.write([UInt8(0)])
                throw FileError(.damaged, url, "interrupted")
            }
        }
        #expect(try scratch.names == [])
    }

    @Test func failureOfTheRenamingLeavesWhatStoodThere() throws {
        let scratch = try Scratch()
        let url = scratch["file"]
        expectRefusal(.system, "cannot be replaced") {
            try AtomicFile.write(to: url) { writer throws(FileError) in
                try writer.write([UInt8(0)])
                // Somebody else is faster.
                try? FileManager.default.createDirectory(
                    at: url, withIntermediateDirectories: false)
            }
        }
        #expect(try scratch.names == ["file"])
    }

    @Test func refusesPlacesThatCannotBeWritten() throws {
        let scratch = try Scratch()
        expectRefusal(.system, "cannot be written: No such file or directory") {
            try AtomicFile.write(to: scratch["no/such/file"]) { _ in
                Issue.record("nothing to write to")
            }
        }
        expectRefusal(.system, "is not a regular file", file: scratch.folder.lastPathComponent) {
            try AtomicFile.write(to: scratch.folder) { _ in Issue.record("nothing to write to") }
        }
        expectRefusal(.system, "is not a regular file", file: "null") {
            try AtomicFile.write(to: URL(filePath: "/dev/null")) { _ in
                Issue.record("nothing to write to")
            }
        }
    }
}

@Suite struct MappedFileTests {
    @Test func mapsBytesAndKeepsThemForTheirStorage() throws {
        let scratch = try Scratch()
        var file: MappedFile? = try MappedFile(try scratch.file([UInt8](0..<100)))
        #expect(file?.byteCount == 100)
        let storage = try #require(file?.storage(10..<20))
        file = nil
        // Neither the object nor the file itself is needed any longer.
        try FileManager.default.removeItem(at: scratch["file"])
        #expect(Array(storage.bytes) == [UInt8](10..<20))
    }

    @Test func mapsAnEmptyFile() throws {
        let scratch = try Scratch()
        let file = try MappedFile(try scratch.file([]))
        #expect(file.byteCount == 0)
        #expect(file.storage(0..<0).byteCount == 0)
    }

    @Test func refusesWhatIsNoRegularFile() throws {
        let scratch = try Scratch()
        expectRefusal(.system, "cannot be opened: No such file or directory", file: "missing") {
            _ = try MappedFile(scratch["missing"])
        }
        expectRefusal(.system, "is not a regular file", file: "zero") {
            _ = try MappedFile(URL(filePath: "/dev/zero"))
        }
        expectRefusal(.system, "is not a regular file", file: scratch.folder.lastPathComponent) {
            _ = try MappedFile(scratch.folder)
        }
    }
}
