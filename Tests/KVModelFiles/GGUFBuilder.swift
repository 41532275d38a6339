/// Writes GGUF files byte by byte, valid ones and others.
package struct GGUFBuilder {
    package struct Tensor {
        package var name: String
        /// Fastest dimension first, as in the file.
        package var dimensions: [UInt64]
        package var type: UInt32
        package var offset: UInt64
    }

    package init() {}

    package var magic = Array("GGUF".utf8)
    package var version: UInt32 = 3
    /// Keys with the bytes of their type and value.
    package var metadata: [(key: String, value: [UInt8])] = []
    package var tensors: [Tensor] = []
    package var data: [UInt8] = []
    package var alignment = 32
    package var tensorCount: UInt64?
    package var entryCount: UInt64?

    package static func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    package static func text(_ text: String) -> [UInt8] {
        little(UInt64(text.utf8.count)) + text.utf8
    }

    package mutating func add(_ key: String, string: String) {
        metadata.append((key, Self.little(UInt32(8)) + Self.text(string)))
    }

    package mutating func add(_ key: String, u32: UInt32) {
        metadata.append((key, Self.little(UInt32(4)) + Self.little(u32)))
    }

    package mutating func add(_ key: String, f32: Float) {
        metadata.append((key, Self.little(UInt32(6)) + Self.little(f32.bitPattern)))
    }

    package mutating func add(_ key: String, strings: [String]) {
        let head = Self.little(UInt32(9)) + Self.little(UInt32(8))
        metadata.append(
            (key, head + Self.little(UInt64(strings.count)) + strings.flatMap(Self.text)))
    }

    package mutating func add(_ key: String, floats: [Float]) {
        let head = Self.little(UInt32(9)) + Self.little(UInt32(6))
        let values = floats.flatMap { Self.little($0.bitPattern) }
        metadata.append((key, head + Self.little(UInt64(floats.count)) + values))
    }

    /// Adds a tensor whose bytes follow those before it.
    package mutating func add(
        _ name: String, _ dimensions: [UInt64], type: UInt32, _ bytes: [UInt8]
    ) {
        data += [UInt8](repeating: 0, count: (alignment - data.count % alignment) % alignment)
        tensors.append(
            Tensor(name: name, dimensions: dimensions, type: type, offset: UInt64(data.count)))
        data += bytes
    }

    package mutating func add(_ name: String, _ dimensions: [UInt64], _ floats: [Float]) {
        add(name, dimensions, type: 0, floats.flatMap { Self.little($0.bitPattern) })
    }

    /// Everything before the data, padded.
    package var header: [UInt8] {
        var bytes = magic + Self.little(version)
        bytes += Self.little(tensorCount ?? UInt64(tensors.count))
        bytes += Self.little(entryCount ?? UInt64(metadata.count))
        for (key, value) in metadata { bytes += Self.text(key) + value }
        for tensor in tensors {
            bytes += Self.text(tensor.name) + Self.little(UInt32(tensor.dimensions.count))
            bytes += tensor.dimensions.flatMap { Self.little($0) }
            bytes += Self.little(tensor.type) + Self.little(tensor.offset)
        }
        return bytes
            + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }

    package var bytes: [UInt8] { header + data }
}
