public import Foundation

extension Safetensors {
    /// A tensor to be written, and who writes its bytes.
    public struct NewTensor {
        let name: String
        let dataType: DataType
        let shape: [Int]
        let body: (inout AtomicFile.Writer) throws(FileError) -> Void

        /// A tensor whose bytes `body` writes, exactly as many as the shape needs.
        public init(
            name: String, dataType: DataType, shape: [Int],
            body: @escaping (inout AtomicFile.Writer) throws(FileError) -> Void
        ) {
            precondition(name != "__metadata__", "a name that the format keeps for itself")
            precondition(shape.allSatisfy { $0 >= 0 })
            self.name = name
            self.dataType = dataType
            self.shape = shape
            self.body = body
        }

        /// A tensor of f32 values.
        public init(name: String, shape: [Int], _ values: [Float]) {
            self.init(name: name, dataType: .f32, shape: shape) { writer throws(FileError) in
                try writer.write(values)
            }
        }

        /// A tensor of i32 values.
        public init(name: String, shape: [Int], _ values: [Int32]) {
            self.init(name: name, dataType: .i32, shape: shape) { writer throws(FileError) in
                try writer.write(values)
            }
        }

        var byteCount: Int { shape.reduce(dataType.byteCount, *) }
    }

    /// Writes a file whose bytes depend on nothing but the tensors and strings, in whatever order given.
    ///
    /// Tensors lie in descending order of element size, then ascending by name, and the data section
    /// starts at a multiple of 64 bytes, so that every tensor is aligned to its elements. The file
    /// appears whole or not at all. Traps when two tensors share a name, or a tensor's `body` writes
    /// another number of bytes than its shape needs.
    ///
    /// - Throws: `FileError` when the file cannot be written.
    public static func write(
        _ tensors: [NewTensor], metadata: [String: String] = [:], to url: URL
    ) throws(FileError) {
        precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors share a name")
        let sorted = tensors.sorted {
            ($1.dataType.byteCount, $0.name) < ($0.dataType.byteCount, $1.name)
        }
        let header = header(sorted, metadata)
        try AtomicFile.write(to: url) { writer throws(FileError) in
            try writer.write([UInt64(header.count).littleEndian])
            try writer.write(header)
            for tensor in sorted {
                let start = writer.position
                try tensor.body(&writer)
                precondition(
                    writer.position - start == tensor.byteCount,
                    "\(tensor.name) was written with another number of bytes than its shape needs")
            }
        }
    }

    private static func header(_ tensors: [NewTensor], _ metadata: [String: String]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty { members.append("\"__metadata__\":" + jsonObject(metadata)) }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.byteCount
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(jsonString(tensor.name)):{\"dtype\":\"\(tensor.dataType.rawValue)\","
                    + "\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        // Spaces are what the format pads headers with; 8 bytes of length stand before.
        while (8 + header.count) % 64 != 0 { header.append(UInt8(ascii: " ")) }
        return header
    }
}
