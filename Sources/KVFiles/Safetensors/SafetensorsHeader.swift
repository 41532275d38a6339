import Foundation

/// The checks between the bytes of a safetensors header and a `Safetensors` value.
struct SafetensorsHeader {
    private let file: MappedFile
    /// Where the data section lies in the file.
    private let data: Range<Int>

    static func read(
        _ file: MappedFile
    ) throws(FileError) -> (tensors: [String: Safetensors.Tensor], metadata: [String: String]) {
        func fail(_ what: String) -> FileError { FileError(.format, file.url, what) }

        guard file.byteCount >= 8 else {
            throw fail("\(file.byteCount) bytes are too few for a safetensors file")
        }
        let length = file.bytes.integer(at: 0, UInt64.self)
        guard length <= Safetensors.headerLimit else {
            throw fail(
                "no safetensors file: the first 8 bytes ask for a header of \(length) bytes, "
                    + "at most \(Safetensors.headerLimit) are valid")
        }
        let end = 8 + Int(length)
        guard end <= file.byteCount else {
            throw FileError(
                .damaged, file.url,
                "the header ends at byte \(end), but the file at \(file.byteCount)")
        }
        guard length > 0, file.bytes[8] == UInt8(ascii: "{") else {
            throw fail("no safetensors file: the header at byte 8 is no JSON object")
        }
        let header: HeaderValue
        do {
            header = try HeaderParser.parse(UnsafeRawBufferPointer(rebasing: file.bytes[8..<end]))
        } catch {
            throw fail("header, byte \(8 + error.offset): \(error.what)")
        }
        guard case .object(var members) = header else { throw fail("the header is no JSON object") }
        let checks = SafetensorsHeader(file: file, data: end..<file.byteCount)
        let metadata = try checks.metadata(members.removeValue(forKey: "__metadata__"))
        var tensors: [String: Safetensors.Tensor] = [:]
        // In order, so that a file with two mistakes always reports the same one.
        for (name, entry) in members.sorted(by: { $0.key < $1.key }) {
            tensors[name] = try checks.tensor(name, entry)
        }
        try checks.checkTiling(tensors.values)
        return (tensors, metadata)
    }

    private func fail(_ what: String) -> FileError { FileError(.format, file.url, what) }

    private func metadata(_ value: HeaderValue?) throws(FileError) -> [String: String] {
        guard let value else { return [:] }
        guard let strings = value.strings else {
            throw fail("__metadata__ is no object of strings")
        }
        return strings
    }

    private func tensor(_ name: String, _ entry: HeaderValue) throws(FileError)
        -> Safetensors.Tensor
    {
        func fail(_ what: String) -> FileError { self.fail("tensor \(quoted(name)): \(what)") }

        guard case .object(let fields) = entry,
            Set(fields.keys) == ["dtype", "shape", "data_offsets"],
            case .string(let typeName)? = fields["dtype"],
            let shape = Self.integers(fields["shape"]),
            let offsets = Self.integers(fields["data_offsets"]), offsets.count == 2
        else {
            throw fail(
                "expected a dtype (string), a shape and two data_offsets (integers from 0), "
                    + "and nothing else")
        }
        guard let dataType = Safetensors.DataType(rawValue: typeName) else {
            let known = Safetensors.DataType.allCases.map(\.rawValue).joined(separator: ", ")
            throw FileError(
                .unsupported, file.url,
                "tensor \(quoted(name)): unknown dtype \(quoted(typeName)); known are \(known)")
        }
        var byteCount = dataType.byteCount
        for dimension in shape {
            let (product, large) = byteCount.multipliedReportingOverflow(by: dimension)
            guard !large else {
                throw fail("shape \(clipped(shape)) has more bytes than can be counted")
            }
            byteCount = product
        }
        let (begin, end) = (offsets[0], offsets[1])
        guard begin <= end else { throw fail("data_offsets [\(begin), \(end)] run backwards") }
        guard end <= data.count else {
            throw FileError(
                .damaged, file.url,
                "tensor \(quoted(name)): data_offsets [\(begin), \(end)] lie outside the data section of "
                    + "\(data.count) bytes")
        }
        guard end - begin == byteCount else {
            throw fail(
                "\(typeName) of shape \(clipped(shape)) has \(byteCount) bytes, "
                    + "data_offsets [\(begin), \(end)] hold \(end - begin)")
        }
        return Safetensors.Tensor(
            name: name, dataType: dataType, shape: shape,
            bytes: data.lowerBound + begin..<data.lowerBound + end)
    }

    private static func integers(_ value: HeaderValue?) -> [Int]? {
        guard case .array(let elements)? = value else { return nil }
        var integers: [Int] = []
        for element in elements {
            guard case .integer(let integer) = element else { return nil }
            integers.append(integer)
        }
        return integers
    }

    /// Every byte of the data section belongs to exactly one tensor.
    private func checkTiling(_ tensors: some Collection<Safetensors.Tensor>) throws(FileError) {
        var end = data.lowerBound
        var last = "the header"
        let sorted = tensors.sorted {
            ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name)
                < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
        }
        for tensor in sorted {
            let begin = tensor.bytes.lowerBound
            guard begin >= end else {
                throw fail(
                    "tensor \(quoted(tensor.name)) at byte \(begin) overlaps \(last), "
                        + "which ends at byte \(end)")
            }
            guard begin == end else {
                throw fail(
                    "bytes \(end)..<\(begin) before tensor \(quoted(tensor.name)) belong to "
                        + "no tensor")
            }
            end = tensor.bytes.upperBound
            last = "tensor \(quoted(tensor.name))"
        }
        guard end == data.upperBound else {
            throw fail(
                "\(data.upperBound - end) bytes after \(last), from byte \(end), belong to "
                    + "no tensor")
        }
    }
}

/// A shape as it may stand in a message.
func clipped(_ shape: [Int]) -> String {
    shape.count <= 8 ? "\(shape)" : "\(shape.prefix(8)) and \(shape.count - 8) more dimensions"
}
