import Foundation
import KVCompress

/// The first 64 bytes of a `.kvc` file.
struct ContainerHeader {
    static let byteCount = 64
    /// A byte above 127 and both line ends, so that a transfer as text is noticed.
    static let magic: [UInt8] = [0x89, 0x4B, 0x56, 0x43, 0x0D, 0x0A, 0x1A, 0x0A]

    /// The one flag: the sections may be packed, and at least one is.
    private static let packedFlag: UInt32 = 1

    /// Whether some section is packed.
    var isPacked: Bool
    /// Length of the whole file.
    var fileLength: Int
    /// Length of the table, which follows the header, with the zeros that pad it to a multiple of 64.
    var tableLength: Int
    /// Entries of the table.
    var sectionCount: Int
    /// CRC-32C of the table.
    var tableChecksum: UInt32

    /// Everything in a container starts at a multiple of 64.
    static func aligned(_ offset: Int) -> Int { (offset + 63) / 64 * 64 }

    /// The 64 bytes, the checksum of the first 60 at their end.
    var encoded: [UInt8] {
        var bytes = Self.magic
        bytes.append(UInt32(Container.version))
        bytes.append(isPacked ? Self.packedFlag : 0)
        bytes.append(UInt64(fileLength))
        bytes.append(UInt64(Self.byteCount))
        bytes.append(UInt64(tableLength))
        bytes.append(UInt32(sectionCount))
        bytes.append(tableChecksum)
        bytes += [UInt8](repeating: 0, count: 12)
        bytes.append(bytes.withUnsafeBytes { crc32c($0) })
        return bytes
    }

    init(
        isPacked: Bool, fileLength: Int, tableLength: Int, sectionCount: Int, tableChecksum: UInt32
    ) {
        self.isPacked = isPacked
        self.fileLength = fileLength
        self.tableLength = tableLength
        self.sectionCount = sectionCount
        self.tableChecksum = tableChecksum
    }

    /// Reads and checks the header of a mapped file.
    ///
    /// Magic, version and checksum stand where they stand in every version, so that damage and a newer
    /// version are told apart.
    init(reading file: MappedFile) throws(FileError) {
        func fail(_ code: FileError.Code, _ what: String) -> FileError {
            FileError(code, file.url, what)
        }

        let bytes = file.bytes
        guard bytes.count >= 8, bytes.prefix(8).elementsEqual(Self.magic) else {
            throw fail(.format, "no .kvc file: the first 8 bytes are not its signature")
        }
        guard bytes.count >= Self.byteCount else {
            throw fail(.damaged, "cut inside the header: \(bytes.count) of \(Self.byteCount) bytes")
        }
        let stored = bytes.integer(at: 60, UInt32.self)
        let found = crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<60]))
        guard found == stored else {
            throw .checksum(file.url, "header at bytes 0..<64", found: found, stored: stored)
        }
        let version = bytes.integer(at: 8, UInt32.self)
        guard version == Container.version else {
            throw fail(
                .unsupported,
                "version \(version) at byte 8; only version \(Container.version) is known")
        }
        let flags = bytes.integer(at: 12, UInt32.self)
        guard flags & ~Self.packedFlag == 0 else {
            throw fail(
                .unsupported,
                "unknown flags 0x\(String(flags, radix: 16)) at byte 12; only 0x1 is known")
        }
        let length = bytes.integer(at: 16, UInt64.self)
        guard length == bytes.count else {
            throw length > bytes.count
                ? fail(.damaged, "cut at byte \(bytes.count) of \(length)")
                : fail(
                    .damaged,
                    "\(UInt64(bytes.count) - length) more bytes after its end at byte \(length)")
        }
        let table = bytes.integer(at: 32, UInt64.self)
        guard bytes.integer(at: 24, UInt64.self) == Self.byteCount, table > 0, table % 64 == 0,
            table <= bytes.count - Self.byteCount
        else {
            throw fail(.format, "the header at byte 24 does not place the table inside the file")
        }
        guard bytes[48..<60].allSatisfy({ $0 == 0 }) else {
            throw fail(.format, "the reserved bytes 48..<60 are not zero")
        }
        isPacked = flags == Self.packedFlag
        fileLength = bytes.count
        tableLength = Int(table)
        sectionCount = Int(bytes.integer(at: 40, UInt32.self))
        tableChecksum = bytes.integer(at: 44)
    }
}

extension [UInt8] {
    /// Appends an integer, little-endian.
    mutating func append(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
