import Foundation
import KVCompress
import KVFiles
import Testing

/// A small archive with sections shorter than, longer than and exactly 64 bytes, and one of none.
func smallArchive() -> Archive {
    func section(_ name: String, _ count: Int) -> Archive.Section {
        Archive.Section(
            name: name,
            storage: Storage(copying: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }))
    }
    return Archive(
        manifest: Array("{\"plan\":\"q8\"}".utf8),
        sections: [
            section("keys", 100), section("empty", 0), section("värden", 64), section("votes", 1),
        ])
}

@Suite struct ContainerTests {
    private func written(_ scratch: Scratch) throws -> (url: URL, bytes: [UInt8]) {
        let url = scratch["file"]
        try Container.write(
            smallArchive(), metadata: ["model": "small", "rope_theta": "10000"], to: url)
        return (url, Array(try Data(contentsOf: url)))
    }

    @Test(arguments: [Container.Verification.atOpen, .onFirstUse])
    func readsWhatWasWritten(verification: Container.Verification) throws {
        let scratch = try Scratch()
        let url = try written(scratch).url
        let (archive, metadata) = try Container.read(from: url, verify: verification)
        let original = smallArchive()
        #expect(metadata == ["model": "small", "rope_theta": "10000"])
        #expect(archive.manifest == original.manifest)
        #expect(archive.sections.map(\.name) == original.sections.map(\.name))
        for (section, other) in zip(archive.sections, original.sections) {
            #expect(section.storage.bytes.elementsEqual(other.storage.bytes))
            #expect(UInt(bitPattern: section.storage.bytes.baseAddress) % 64 == 0)
        }
    }

    @Test func writesEqualBytesForEqualArchives() throws {
        let scratch = try Scratch()
        let first = try written(scratch).bytes
        #expect(try written(scratch).bytes == first)
        #expect(first.count % 64 == 0)
        #expect(try scratch.names == ["file"])
    }

    @Test func writesAnEmptyArchive() throws {
        let scratch = try Scratch()
        try Container.write(Archive(manifest: [], sections: []), metadata: [:], to: scratch["file"])
        let (archive, metadata) = try Container.read(from: scratch["file"])
        #expect(archive.manifest.isEmpty && archive.sections.isEmpty && metadata.isEmpty)
    }

    @Test func refusesEveryFlippedBit() throws {
        let scratch = try Scratch()
        let bytes = try written(scratch).bytes
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            let url = try scratch.file(flipped)
            #expect(throws: FileError.self, "bit \(bit)") { try Container(url) }
        }
    }

    @Test func refusesEveryCutAndEveryTail() throws {
        let scratch = try Scratch()
        let bytes = try written(scratch).bytes
        for count in 0..<bytes.count {
            let url = try scratch.file(Array(bytes[..<count]))
            let words =
                count < 8
                ? "not its signature"
                : count < 64
                    ? "cut inside the header: \(count) of 64"
                    : "cut at byte \(count) of \(bytes.count)"
            expectRefusal(count < 8 ? .format : .damaged, words) {
                _ = try Container(url, verify: .onFirstUse)
            }
        }
        for count in [1, 63, 64, 1000] {
            let url = try scratch.file(bytes + [UInt8](repeating: 0, count: count))
            expectRefusal(.damaged, "\(count) more bytes after its end at byte \(bytes.count)") {
                _ = try Container(url)
            }
        }
    }

    @Test func saysWhatIsDamagedAndWhere() throws {
        let scratch = try Scratch()
        let (url, bytes) = try written(scratch)
        let sections = try Container(url).sections
        var places = [(20, "header at bytes 0..<64"), (70, "table at bytes 64..<")]
        for section in sections where !section.bytes.isEmpty {
            places.append(
                (
                    section.bytes.lowerBound,
                    "section \"\(section.name)\" at bytes \(section.bytes.lowerBound)..<"
                ))
            if section.bytes.upperBound % 64 != 0 {
                places.append((section.bytes.upperBound, "section \"\(section.name)\""))
            }
        }
        for (offset, words) in places {
            var damaged = bytes
            damaged[offset] ^= 0x10
            let url = try scratch.file(damaged)
            expectRefusal(.damaged, words) { _ = try Container(url) }
        }
    }

    @Test func verifiesSectionsWhenAsked() throws {
        let scratch = try Scratch()
        let (url, bytes) = try written(scratch)
        let keys = try #require(try Container(url).sections.first { $0.name == "keys" })
        var damaged = bytes
        damaged[keys.bytes.lowerBound + 5] ^= 1
        let container = try Container(try scratch.file(damaged), verify: .onFirstUse)
        try container.verify(section: "votes")
        expectRefusal(.damaged, "section \"keys\"") { try container.verify(section: "keys") }
        expectRefusal(.format, "has no section \"other\"") {
            try container.verify(section: "other")
        }
        for name in ["manifest", "metadata"] {
            let section = try #require(container.sections.first { $0.name == name })
            var damaged = bytes
            damaged[section.bytes.lowerBound] ^= 1
            let url = try scratch.file(damaged)
            expectRefusal(.damaged, "section \"\(name)\"") {
                _ = try Container(url, verify: .onFirstUse)
            }
        }
    }

    /// Bytes with a patched header whose checksum is right again.
    private func patched(_ bytes: [UInt8], _ offset: Int, _ value: some FixedWidthInteger)
        -> [UInt8]
    {
        var bytes = bytes
        withUnsafeBytes(of: value.littleEndian) {
            bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
        }
        let checksum = bytes[..<60].withUnsafeBytes { crc32c($0) }
        withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(60..<64, with: $0) }
        return bytes
    }

    @Test func refusesWhatAnotherWriterMeant() throws {
        let scratch = try Scratch()
        let bytes = try written(scratch).bytes
        func expect(_ code: FileError.Code, _ words: String, _ bytes: [UInt8]) throws {
            let url = try scratch.file(bytes)
            expectRefusal(code, words) { _ = try Container(url) }
        }
        try expect(
            .unsupported, "version 2 at byte 8; only version 1 is known",
            patched(bytes, 8, UInt32(2)))
        try expect(.unsupported, "unknown flags 0x4 at byte 12", patched(bytes, 12, UInt32(4)))
        for length: UInt64 in [0, 63, 1 << 40, .max] {
            try expect(.format, "does not place the table", patched(bytes, 32, length))
        }
        try expect(.format, "does not place the table", patched(bytes, 24, UInt64.max))
        try expect(.damaged, "cut at byte", patched(bytes, 16, UInt64.max))
        try expect(.format, "reserved bytes 48..<60", patched(bytes, 50, UInt8(1)))
        try expect(.format, "the table has no manifest", patched(bytes, 40, UInt32(1)))
        try expect(.format, "table entry", patched(bytes, 40, UInt32.max))
        try expect(.format, "of the table are no padding", patched(bytes, 40, UInt32(5)))

        // Entries: offset, length, checksum, length of the name, name.
        func table(_ offset: Int, _ value: some FixedWidthInteger) -> [UInt8] {
            var bytes = bytes
            withUnsafeBytes(of: value.littleEndian) {
                bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
            }
            let length = Int(bytes[32]) + Int(bytes[33]) << 8
            return patched(bytes, 44, bytes[64..<64 + length].withUnsafeBytes { crc32c($0) })
        }
        try expect(
            .format, "table entry 0 at byte 64: \"manifest\" of 13 bytes at byte 0",
            table(64, UInt64(0)))
        try expect(.format, "table entry 0 at byte 64: \"manifest\"", table(72, UInt64.max))
        try expect(.format, "table entry 0 at byte 64: its name is not", table(84, UInt32(0)))
        try expect(.format, "table entry 0 at byte 64: packed in a way", table(84, UInt32.max))
        try expect(
            .format, "table entry 0 at byte 64: it is named \"Manifest\"",
            table(88, UInt8(ascii: "M")))
        // The third entry's name, "keys", becomes the invalid UTF-8 "\u{FF}eys".
        try expect(.format, "table entry 2 at byte 128: its name is not", table(152, UInt8(0xFF)))
    }

    @Test func refusesNamesThatCannotBeWritten() throws {
        let scratch = try Scratch()
        func write(_ names: String...) throws {
            let sections = names.map {
                Archive.Section(name: $0, storage: Storage(copying: [UInt8(1)]))
            }
            try Container.write(
                Archive(manifest: [], sections: sections), metadata: [:], to: scratch["file"])
        }
        expectRefusal(.format, "two sections named \"a\"") { try write("a", "a") }
        expectRefusal(.format, "two sections named \"manifest\"") { try write("manifest") }
        expectRefusal(.format, "a section named \"\"") { try write("") }
        expectRefusal(.format, "a section named") { try write(String(repeating: "x", count: 256)) }
        #expect(try scratch.names == [])
    }
}
