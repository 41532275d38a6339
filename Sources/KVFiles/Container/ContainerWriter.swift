public import Foundation
public import KVCompress

extension Container {
    /// Writes an archive and its model's metadata; equal input gives equal bytes.
    ///
    /// The file appears whole or not at all. Reads every section twice: for its checksum and to write it.
    ///
    /// - Parameter pack: packs the sections that become shorter, each on its own and without loss. The file is
    ///   then smaller, and read into memory where others are mapped. Equal bytes need equal releases of zstd.
    /// - Throws: `FileError` when the file cannot be written, or a section's name cannot stand in one:
    ///   two are equal, one is `manifest` or `metadata`, empty, or longer than 255 bytes.
    public static func write(
        _ archive: Archive, metadata: [String: String], to url: URL, pack: Bool = false
    ) throws(FileError) {
        let described = [archive.manifest, Array(jsonObject(metadata).utf8)]
        let names = ContainerTable.reserved + archive.sections.map(\.name)
        try check(names, url)
        let plain = described.map { Storage(copying: $0) } + archive.sections.map(\.storage)
        let packed = plain.map { pack ? Packing.pack($0.bytes) : nil }
        let storages = zip(plain, packed).map { $1.map { Storage(copying: $0.packed) } ?? $0 }
        let packings = packed.map { $0?.packing }

        let tableLength = ContainerTable.byteCount(Array(zip(names, packings)))
        var end = ContainerHeader.byteCount + tableLength
        let sections = zip(names, zip(storages, packings)).map { name, content in
            let (storage, packing) = content, start = end
            end = ContainerHeader.aligned(start + storage.byteCount)
            let unpadded = crc32c(storage.bytes)
            let checksum = zeros(after: storage).withUnsafeBytes {
                crc32c($0, continuing: unpadded)
            }
            return Section(
                name: name, bytes: start..<start + storage.byteCount, checksum: checksum,
                packing: packing)
        }
        let table = ContainerTable.encode(sections)
        let header = ContainerHeader(
            isPacked: packings.contains { $0 != nil }, fileLength: end, tableLength: tableLength,
            sectionCount: sections.count, tableChecksum: table.withUnsafeBytes { crc32c($0) })

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
