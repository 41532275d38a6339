public import Foundation
public import KVCompress

extension Container {
    /// Writes an archive and its model's metadata; equal input gives equal bytes.
    ///
    /// The file appears whole or not at all. Reads every section twice: for its checksum and to write it.
    ///
    /// - Throws: `FileError` when the file cannot be written, or a section's name cannot stand in one:
    ///   two are equal, one is `manifest` or `metadata`, empty, or longer than 255 bytes.
    public static func write(
        _ archive: Archive, metadata: [String: String], to url: URL
    ) throws(FileError) {
        let described = [archive.manifest, Array(jsonObject(metadata).utf8)]
        let storages = described.map { Storage(copying: $0) } + archive.sections.map(\.storage)
        let names = ContainerTable.reserved + archive.sections.map(\.name)
        try check(names, url)

        let tableLength = ContainerTable.byteCount(names)
        var end = ContainerHeader.byteCount + tableLength
        let sections = zip(names, storages).map { name, storage in
            let start = end
            end = ContainerHeader.aligned(start + storage.byteCount)
            let unpadded = crc32c(storage.bytes)
            let checksum = zeros(after: storage).withUnsafeBytes {
                crc32c($0, continuing: unpadded)
            }
            return Section(name: name, bytes: start..<start + storage.byteCount, checksum: checksum)
        }
        let table = ContainerTable.encode(sections)
        let header = ContainerHeader(
            fileLength: end, tableLength: tableLength, sectionCount: sections.count,
            tableChecksum: table.withUnsafeBytes { crc32c($0) })

        try AtomicFile.write(to: url) { writer throws(FileError) in
            try writer.write(header.encoded)
            try writer.write(table)
            for storage in storages {
                try writer.write(storage.bytes)
                try writer.write(zeros(after: storage))
            }
        }
    }

    private static func zeros(after storage: Storage) -> [UInt8] {
        [UInt8](repeating: 0, count: ContainerHeader.aligned(storage.byteCount) - storage.byteCount)
    }

    private static func check(_ names: [String], _ url: URL) throws(FileError) {
        var seen: Set<String> = []
        for name in names {
            guard (1...ContainerTable.nameLimit).contains(name.utf8.count) else {
                throw FileError(
                    .format, url,
                    "cannot hold a section named \(quoted(name)); valid are "
                        + "1...\(ContainerTable.nameLimit) bytes")
            }
            guard seen.insert(name).inserted else {
                throw FileError(.format, url, "cannot hold two sections named \(quoted(name))")
            }
        }
    }
}
