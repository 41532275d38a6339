public import Foundation
public import KVCompress

/// A `.kvc` file: a compressed cache and the metadata of its model, with a checksum over every byte.
///
/// The sections view the mapped file, or memory that packed ones were unpacked to. Header, table, manifest and metadata are always verified when the
/// file is opened; so are all sections, unless their verification is put off to the caller's first use.
/// Packed sections are read, and so verified, at once.
public struct Container: Sendable {
    /// When the checksums of the sections are compared.
    public enum Verification: Sendable {
        /// At open: reads the whole file once.
        case atOpen
        /// By the caller, with `verify(section:)`, before it uses a section: opening reads only what
        /// describes the sections, and what is packed.
        case onFirstUse
    }

    /// What the table says of one section.
    public struct Section: Hashable, Sendable {
        /// Unique in the file; the first two are `manifest` and `metadata`.
        public let name: String
        /// Where its bytes lie in the file; zeros up to a multiple of 64 follow.
        public let bytes: Range<Int>
        /// CRC-32C of its bytes and the zeros after them.
        public let checksum: UInt32
        /// How its bytes were packed, nil when they lie as they are.
        public let packing: Packing?
    }

    /// The newest version of the format, and the one that is written.
    public static let version = 1

    /// The mapped file.
    public let file: MappedFile
    /// Every section, the manifest and the metadata first.
    public let sections: [Section]
    /// The compressed cache, taken apart: its manifest, and views of the other sections.
    public let archive: Archive
    /// What the source said of the model, as written.
    public let metadata: [String: String]

    /// Maps a file and verifies it.
    ///
    /// - Throws: `FileError` that says what is wrong and where, when the file is no `.kvc` container, has
    ///   a version or flag that this release does not know, was cut, or has a byte changed.
    public init(_ url: URL, verify: Verification = .atOpen) throws(FileError) {
        let file = try MappedFile(url)
        let header = try ContainerHeader(reading: file)
        let sections = try ContainerTable.read(file, header)
        self.file = file
        self.sections = sections
        var storages: [Storage] = []
        for (index, section) in sections.enumerated() {
            if verify == .atOpen || index < ContainerTable.reserved.count || section.packing != nil
            {
                try Self.verify(section, in: file)
            }
            storages.append(try Self.storage(of: section, in: file))
        }
        archive = Archive(
            manifest: Array(storages[0].bytes),
            sections: zip(sections, storages).dropFirst(ContainerTable.reserved.count).map {
                Archive.Section(name: $0.name, storage: $1)
            })
        metadata = try Self.metadata(storages[1], at: sections[1].bytes.lowerBound, of: file.url)
    }

    /// What the file's length would be if nothing in it were packed.
    public var unpackedByteCount: Int {
        sections.reduce(file.byteCount) { total, section in
            total + (section.packing.map { $0.byteCount - section.bytes.count } ?? 0)
        }
    }

    /// Opens a file; the archive's sections keep the mapping alive.
    ///
    /// - Throws: as `init(_:verify:)`.
    public static func read(
        from url: URL, verify: Verification = .atOpen
    ) throws(FileError) -> (archive: Archive, metadata: [String: String]) {
        let container = try Container(url, verify: verify)
        return (container.archive, container.metadata)
    }

    /// Compares a section with its checksum: reads its bytes once.
    ///
    /// - Throws: `FileError` when a byte has changed.
    public func verify(section name: String) throws(FileError) {
        guard let section = sections.first(where: { $0.name == name }) else {
            throw FileError(.format, file.url, "has no section \(quoted(name))")
        }
        try Self.verify(section, in: file)
    }

    private static func verify(_ section: Section, in file: MappedFile) throws(FileError) {
        let covered = section.bytes.lowerBound..<ContainerHeader.aligned(section.bytes.upperBound)
        let found = crc32c(UnsafeRawBufferPointer(rebasing: file.bytes[covered]))
        guard found == section.checksum else {
            throw .checksum(
                file.url, "section \(quoted(section.name)) at bytes \(covered)",
                found: found, stored: section.checksum)
        }
    }

    /// A section's bytes as they were written, unpacked if need be.
    private static func storage(
        of section: Section, in file: MappedFile
    ) throws(FileError) -> Storage {
        let stored = file.storage(section.bytes)
        guard let packing = section.packing else { return stored }
        guard let storage = packing.unpack(stored.bytes) else {
            throw FileError(
                .format, file.url,
                "section \(quoted(section.name)) at bytes \(section.bytes) does not unpack to "
                    + "\(packing.byteCount) bytes")
        }
        return storage
    }

    private static func metadata(
        _ storage: Storage, at offset: Int, of url: URL
    ) throws(FileError) -> [String: String] {
        let value: HeaderValue
        do {
            value = try HeaderParser.parse(storage.bytes)
        } catch {
            throw FileError(
                .format, url, "metadata at byte \(offset), byte \(error.offset): \(error.what)")
        }
        guard let strings = value.strings else {
            throw FileError(.format, url, "the metadata are no object of strings")
        }
        return strings
    }
}

extension FileError {
    static func checksum(_ file: URL, _ what: String, found: UInt32, stored: UInt32) -> FileError {
        func hexadecimal(_ crc: UInt32) -> String {
            let digits = String(crc, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }
        return FileError(
            .damaged, file,
            "\(what): the file is damaged, the checksum is \(hexadecimal(found)) where "
                + "\(hexadecimal(stored)) is stored")
    }
}
