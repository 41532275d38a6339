public import Foundation
public import KVCompress

/// A `.kvc` file: a compressed cache and the metadata of its model, with a checksum over every byte.
///
/// The sections view the mapped file. Header, table, manifest and metadata are always verified when the
/// file is opened; so are all sections, unless their verification is put off to the caller's first use.
public struct Container: Sendable {
    /// When the checksums of the sections are compared.
    public enum Verification: Sendable {
        /// At open: reads the whole file once.
        case atOpen
        /// By the caller, with `verify(section:)`, before it uses a section: opening reads only what
        /// describes the sections.
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
        for section in sections.prefix(verify == .atOpen ? sections.count : 2) {
            try Self.verify(section, in: file)
        }
        let manifest = file.bytes[sections[0].bytes]
        archive = Archive(
            manifest: Array(manifest),
            sections: sections.dropFirst(2).map {
                Archive.Section(name: $0.name, storage: file.storage($0.bytes))
            })
        metadata = try Self.metadata(file, sections[1])
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

    private static func metadata(
        _ file: MappedFile, _ section: Section
    ) throws(FileError) -> [String: String] {
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[section.bytes])
        let value: HeaderValue
        do {
            value = try HeaderParser.parse(bytes)
        } catch {
            throw FileError(
                .format, file.url,
                "metadata, byte \(section.bytes.lowerBound + error.offset): \(error.what)")
        }
        guard let strings = value.strings else {
            throw FileError(.format, file.url, "the metadata are no object of strings")
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
