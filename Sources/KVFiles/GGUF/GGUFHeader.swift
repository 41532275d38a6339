import Foundation

/// The checks between the bytes of a GGUF file and a `GGUF` value.
struct GGUFHeader {
    private let file: MappedFile
    private var position = 4

    /// ggml's own limit.
    private static let dimensionLimit = 4
    /// Where `general.alignment` says nothing.
    private static let defaultAlignment = 32

    static func read(
        _ file: MappedFile
    ) throws(FileError) -> (metadata: [String: GGUF.Value], tensors: [String: GGUF.Tensor]) {
        guard file.byteCount >= 24, file.bytes[0..<4].elementsEqual("GGUF".utf8) else {
            throw FileError(
                .format, file.url, "no GGUF file: it does not begin with 'GGUF' and 20 more bytes")
        }
        var header = GGUFHeader(file: file)
        return try header.read()
    }

    private init(file: MappedFile) { self.file = file }

    private mutating func read() throws(FileError) -> (
        metadata: [String: GGUF.Value], tensors: [String: GGUF.Tensor]
    ) {
        let version = try integer(UInt32.self, "the version")
        guard version.byteSwapped != 2, version.byteSwapped != 3 else {
            throw FileError(
                .unsupported, file.url, "a big-endian GGUF file; little-endian ones are read")
        }
        guard (2...3).contains(version) else {
            throw FileError(
                .unsupported, file.url, "GGUF version \(version); versions 2 and 3 are read")
        }
        // The least that a tensor and a metadata entry take.
        let tensorCount = try count("tensors", each: 32)
        let entryCount = try count("metadata entries", each: 13)
        var metadata: [String: GGUF.Value] = [:]
        for index in 0..<entryCount {
            let start = position
            let key = try string("the key of metadata entry \(index)")
            let value = try value("the value of \(quoted(key))")
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw fail("the metadata key \(quoted(key)) is given twice", at: start)
            }
        }
        let alignment = try alignment(metadata["general.alignment"])
        var described: [(tensor: GGUF.Tensor, start: Int)] = []
        for index in 0..<tensorCount {
            let start = position
            described.append((try tensor(index, alignment: alignment), start))
        }
        return (metadata, try placed(described, alignment: alignment))
    }

    private func fail(_ what: String, at offset: Int) -> FileError {
        FileError(.format, file.url, "byte \(offset): \(what)")
    }

    /// What is left of the file from here.
    private var rest: Int { file.byteCount - position }

    private mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type, _ what: String
    ) throws(FileError) -> Number {
        let size = MemoryLayout<Number>.size
        guard size <= rest else { throw cut(what) }
        defer { position += size }
        return file.bytes.integer(at: position)
    }

    private func cut(_ what: String) -> FileError {
        FileError(
            .damaged, file.url, "the file ends at byte \(file.byteCount), inside \(what)")
    }

    /// A number of things that take at least `each` bytes, so that no loop outlasts the file.
    private mutating func count(_ what: String, each: Int) throws(FileError) -> Int {
        let start = position
        let count = try integer(UInt64.self, "the number of \(what)")
        guard count <= rest / each else {
            throw fail("\(count) \(what) do not fit in the \(rest) bytes that follow", at: start)
        }
        return Int(count)
    }

    /// The range of a string's bytes.
    private mutating func text(_ what: String) throws(FileError) -> Range<Int> {
        let start = position
        let length = try integer(UInt64.self, what)
        guard length <= rest else {
            throw fail(
                "\(what) takes \(length) bytes, but only \(rest) follow", at: start)
        }
        defer { position += Int(length) }
        return position..<position + Int(length)
    }

    private mutating func string(_ what: String) throws(FileError) -> String {
        let range = try text(what)
        guard let string = String(validating: file.bytes[range], as: UTF8.self) else {
            throw fail("\(what) is not UTF-8", at: range.lowerBound)
        }
        return string
    }

    private mutating func valueType(_ what: String) throws(FileError) -> GGUF.ValueType {
        let start = position
        let number = try integer(UInt32.self, "the type of \(what)")
        guard let type = GGUF.ValueType(rawValue: number) else {
            throw fail("the type of \(what) is \(number); valid are 0...12", at: start)
        }
        return type
    }

    private mutating func value(_ what: String) throws(FileError) -> GGUF.Value {
        let type = try valueType(what)
        switch type {
        case .string: return .string(try string(what))
        case .array: return .array(try list(what))
        default:
            let size = type.byteCount ?? 0
            guard size <= rest else { throw cut(what) }
            defer { position += size }
            if type == .bool, file.bytes[position] > 1 {
                throw fail("\(what) is neither 0 nor 1", at: position)
            }
            return type.value(file.bytes, at: position)
        }
    }

    private mutating func list(_ what: String) throws(FileError) -> GGUF.List {
        let start = position
        let type = try valueType("the elements of \(what)")
        guard type != .array else {
            throw FileError(
                .unsupported, file.url, "byte \(start): \(what) is an array of arrays")
        }
        let count = try count("elements of \(what)", each: type.byteCount ?? 8)
        let first = position
        if let size = type.byteCount {
            position += count * size
        } else {
            for index in 0..<count { _ = try text("element \(index) of \(what)") }
        }
        return GGUF.List(file: file, type: type, count: count, bytes: first..<position)
    }

    private func alignment(_ value: GGUF.Value?) throws(FileError) -> Int {
        guard let value else { return Self.defaultAlignment }
        guard let alignment = value.integer, (8...65536).contains(alignment),
            alignment & (alignment - 1) == 0
        else {
            throw FileError(
                .format, file.url,
                "general.alignment is \(value); valid are powers of two from 8 to 65536")
        }
        return alignment
    }

    /// A tensor's description; its bytes are counted from the start of the data section yet.
    private mutating func tensor(_ index: Int, alignment: Int) throws(FileError) -> GGUF.Tensor {
        let start = position
        let name = try string("the name of tensor \(index)")
        let what = "tensor \(quoted(name))"
        let rank = try integer(UInt32.self, what)
        guard (1...UInt32(Self.dimensionLimit)).contains(rank) else {
            throw fail(
                "\(what) has \(rank) dimensions; valid are 1...\(Self.dimensionLimit)", at: start)
        }
        var shape: [Int] = []
        var elements = 1
        for _ in 0..<rank {
            let size = try integer(UInt64.self, what)
            guard size >= 1, size <= UInt64(Int.max) else {
                throw fail("\(what) has a dimension of \(size)", at: start)
            }
            let (product, overflow) = elements.multipliedReportingOverflow(by: Int(size))
            guard !overflow else { throw fail("\(what) has too many elements", at: start) }
            elements = product
            shape.append(Int(size))
        }
        let number = try integer(UInt32.self, what)
        guard let format = TensorFormat(rawValue: number) else {
            let valid = TensorFormat.allCases.map(\.description).joined(separator: ", ")
            throw FileError(
                .unsupported, file.url,
                "byte \(start): \(what) is stored as ggml type \(number); "
                    + "the types that are read are \(valid)")
        }
        guard shape[0] % format.blockElements == 0 else {
            throw fail(
                "\(what) has rows of \(shape[0]) elements, which are no whole \(format) blocks "
                    + "of \(format.blockElements)", at: start)
        }
        let offset = try integer(UInt64.self, what)
        guard offset % UInt64(alignment) == 0 else {
            throw fail(
                "\(what) lies at offset \(offset), which is no multiple of the alignment \(alignment)",
                at: start)
        }
        let (bytes, large) = (elements / format.blockElements).multipliedReportingOverflow(
            by: format.blockBytes)
        guard !large, bytes <= file.byteCount, offset <= UInt64(file.byteCount - bytes) else {
            throw FileError(
                .damaged, file.url,
                "\(what) needs \(elements) \(format) numbers from offset \(offset), "
                    + "beyond the end of the file")
        }
        return GGUF.Tensor(
            name: name, format: format, shape: shape.reversed(),
            bytes: Int(offset)..<Int(offset) + bytes)
    }

    /// The tensors by name, at their places in the file.
    private func placed(
        _ described: [(tensor: GGUF.Tensor, start: Int)], alignment: Int
    ) throws(FileError) -> [String: GGUF.Tensor] {
        let data = (position + alignment - 1) / alignment * alignment
        var tensors: [String: GGUF.Tensor] = [:]
        for (tensor, start) in described {
            let what = "tensor \(quoted(tensor.name))"
            guard tensor.bytes.upperBound <= file.byteCount - data else {
                throw FileError(
                    .damaged, file.url,
                    "\(what) ends at byte \(data + tensor.bytes.upperBound), "
                        + "but the file at \(file.byteCount)")
            }
            let placed = GGUF.Tensor(
                name: tensor.name, format: tensor.format, shape: tensor.shape,
                bytes: data + tensor.bytes.lowerBound..<data + tensor.bytes.upperBound)
            guard tensors.updateValue(placed, forKey: tensor.name) == nil else {
                throw fail("\(what) is described twice", at: start)
            }
        }
        let ordered = tensors.values.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
        for (one, next) in zip(ordered, ordered.dropFirst())
        where next.bytes.lowerBound < one.bytes.upperBound {
            throw FileError(
                .format, file.url,
                "the tensors \(quoted(one.name)) and \(quoted(next.name)) overlap")
        }
        return tensors
    }
}
