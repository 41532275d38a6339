import KVCompress

/// The table of a `.kvc` file, between the header and the first section.
///
/// Sections follow each other in the table's order, each at the next multiple of 64, the last one's
/// padding at the end of the file: there is one valid place for each, and the reader insists on it.
enum ContainerTable {
    /// The names of the first two sections.
    static let reserved = ["manifest", "metadata"]
    static let nameLimit = 255
    /// Offset, length, checksum and the name's length stand before the name.
    private static let fixedBytes = 24

    /// The table's bytes, padded.
    static func encode(_ sections: [Container.Section]) -> [UInt8] {
        var bytes: [UInt8] = []
        for section in sections {
            bytes.append(UInt64(section.bytes.lowerBound))
            bytes.append(UInt64(section.bytes.count))
            bytes.append(section.checksum)
            bytes.append(UInt32(section.name.utf8.count))
            bytes += section.name.utf8
        }
        return bytes
            + [UInt8](repeating: 0, count: ContainerHeader.aligned(bytes.count) - bytes.count)
    }

    /// The table's length in bytes, padded, for sections of these names.
    static func byteCount(_ names: [String]) -> Int {
        ContainerHeader.aligned(names.reduce(0) { $0 + fixedBytes + $1.utf8.count })
    }

    /// Reads and checks the table of a mapped file.
    static func read(
        _ file: MappedFile, _ header: ContainerHeader
    ) throws(FileError) -> [Container.Section] {
        let start = ContainerHeader.byteCount
        let end = start + header.tableLength
        let found = crc32c(UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]))
        guard found == header.tableChecksum else {
            throw .checksum(
                file.url, "table at bytes \(start)..<\(end)", found: found,
                stored: header.tableChecksum)
        }
        var sections: [Container.Section] = []
        var names: Set<String> = []
        var position = start
        var place = end
        for index in 0..<header.sectionCount {
            let entry = position
            func fail(_ what: String) -> FileError {
                FileError(.format, file.url, "table entry \(index) at byte \(entry): \(what)")
            }

            guard end - entry >= fixedBytes else {
                throw fail("outside the table, which ends at byte \(end)")
            }
            let offset = file.bytes.integer(at: entry, UInt64.self)
            let length = file.bytes.integer(at: entry + 8, UInt64.self)
            let nameLength = Int(file.bytes.integer(at: entry + 20, UInt32.self))
            position = entry + fixedBytes
            guard (1...nameLimit).contains(nameLength), nameLength <= end - position,
                let name = String(
                    validating: file.bytes[position..<position + nameLength], as: UTF8.self)
            else { throw fail("its name is not UTF-8 of 1...\(nameLimit) bytes inside the table") }
            position += nameLength
            guard index >= reserved.count || name == reserved[index] else {
                throw fail("it is named \(quoted(name)), not \(quoted(reserved[index]))")
            }
            guard names.insert(name).inserted else {
                throw fail("the name \(quoted(name)) is given twice")
            }
            guard offset == place, length <= file.byteCount - place else {
                throw fail(
                    "\(quoted(name)) of \(length) bytes at byte \(offset) does not lie between byte "
                        + "\(place) and the end at \(file.byteCount)")
            }
            let bytes = place..<place + Int(length)
            place = ContainerHeader.aligned(bytes.upperBound)
            guard place <= file.byteCount else { throw fail("\(quoted(name)) lacks its padding") }
            sections.append(
                Container.Section(
                    name: name, bytes: bytes, checksum: file.bytes.integer(at: entry + 16)))
        }
        guard sections.count >= reserved.count else {
            throw FileError(.format, file.url, "the table has no manifest and metadata")
        }
        guard ContainerHeader.aligned(position) == end,
            file.bytes[position..<end].allSatisfy({ $0 == 0 })
        else {
            throw FileError(
                .format, file.url, "bytes \(position)..<\(end) of the table are no padding")
        }
        guard place == file.byteCount else {
            throw FileError(
                .format, file.url, "bytes \(place)..<\(file.byteCount) belong to no section")
        }
        return sections
    }
}
