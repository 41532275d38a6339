import KVCompress

/// The table of a `.kvc` file, between the header and the first section.
///
/// Sections follow each other in the table's order, each at the next multiple of 64, the last one's
/// padding at the end of the file: there is one valid place for each, and the reader insists on it.
enum ContainerTable {
    /// The names of the first two sections.
    static let reserved = ["manifest", "metadata"]
    static let nameLimit = 255
    /// Offset, length, checksum, the name's length and the planes stand in every entry.
    private static let fixedBytes = 24
    /// The unpacked length follows in those of packed sections.
    private static let packedBytes = 8

    /// The table's bytes, padded.
    static func encode(_ sections: [Container.Section]) -> [UInt8] {
        var bytes: [UInt8] = []
        for section in sections {
            bytes.append(UInt64(section.bytes.lowerBound))
            bytes.append(UInt64(section.bytes.count))
            bytes.append(section.checksum)
            bytes.append(UInt8(section.name.utf8.count))
            bytes.append(UInt8(section.packing?.planes ?? 0))
            bytes.append(UInt16(0))
            if let packing = section.packing { bytes.append(UInt64(packing.byteCount)) }
            bytes += section.name.utf8
        }
        return bytes
            + [UInt8](repeating: 0, count: ContainerHeader.aligned(bytes.count) - bytes.count)
    }

    /// The table's length in bytes, padded.
    static func byteCount(_ sections: [(name: String, packing: Packing?)]) -> Int {
        ContainerHeader.aligned(
            sections.reduce(0) {
                $0 + fixedBytes + ($1.packing == nil ? 0 : packedBytes) + $1.name.utf8.count
            })
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
            let nameLength = Int(file.bytes[entry + 20])
            let planes = Int(file.bytes[entry + 21])
            guard planes == 0 || Packing.choices.contains(planes),
                file.bytes.integer(at: entry + 22, UInt16.self) == 0
            else { throw fail("packed in a way that is not known") }
            position = entry + fixedBytes
            var unpacked: UInt64?
            if planes > 0 {
                guard end - position >= packedBytes else {
                    throw fail("outside the table, which ends at byte \(end)")
                }
                unpacked = file.bytes.integer(at: position)
                position += packedBytes
            }
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
            // As the length lies in the file, neither side overflows.
            guard unpacked.map({ $0 <= length * UInt64(Packing.limit) }) ?? true else {
                throw fail(
                    "\(quoted(name)) of \(length) bytes would unpack to more than "
                        + "\(Packing.limit) times as many")
            }
            let bytes = place..<place + Int(length)
            place = ContainerHeader.aligned(bytes.upperBound)
            guard place <= file.byteCount else { throw fail("\(quoted(name)) lacks its padding") }
            sections.append(
                Container.Section(
                    name: name, bytes: bytes, checksum: file.bytes.integer(at: entry + 16),
                    packing: unpacked.map { Packing(planes: planes, byteCount: Int($0)) }))
        }
        guard sections.count >= reserved.count else {
            throw FileError(.format, file.url, "the table has no manifest and metadata")
        }
        guard header.isPacked == sections.contains(where: { $0.packing != nil }) else {
            throw FileError(
                .format, file.url,
                "the header and the table disagree on whether sections are packed")
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
