internal import KVCompress

/// How the numbers of a model's weights are stored.
public enum TensorFormat: UInt32, Sendable, CaseIterable, CustomStringConvertible {
    case f32 = 0
    case f16 = 1
    /// Blocks of 32: an f16 scale, then 16 bytes with element i in the low half of byte i and element
    /// i + 16 in its high half; a number is (half - 8) * scale.
    case ggmlQ4 = 2
    /// Blocks of 32: an f16 scale, then 32 signed bytes; a number is byte * scale.
    case ggmlQ8 = 8
    case bf16 = 30

    /// The format's name in GGUF.
    public var description: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .ggmlQ4: "Q4_0"
        case .ggmlQ8: "Q8_0"
        case .bf16: "BF16"
        }
    }

    /// Elements that are stored together; a tensor's rows consist of whole blocks.
    public var blockElements: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .ggmlQ4, .ggmlQ8: 32
        }
    }

    /// Bytes of one block.
    public var blockBytes: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .ggmlQ4: 18
        case .ggmlQ8: 34
        }
    }

    /// Bytes of `elements` numbers, a whole number of blocks.
    public func byteCount(_ elements: Int) -> Int {
        precondition(elements % blockElements == 0)
        return elements / blockElements * blockBytes
    }

    /// Converts `count` numbers, a whole number of blocks, to f32.
    ///
    /// - Parameter source: aligned to 4 bytes for f32, to 2 for the others.
    public func decode(
        _ source: UnsafeRawPointer, count: Int, to floats: UnsafeMutablePointer<Float>
    ) {
        precondition(count % blockElements == 0)
        switch self {
        case .f32: ElementFormat.f32.decode(source, count: count, to: floats)
        case .f16: ElementFormat.f16.decode(source, count: count, to: floats)
        case .bf16: ElementFormat.bf16.decode(source, count: count, to: floats)
        case .ggmlQ8:
            eachBlock(source, count) { scale, codes, block in
                for i in 0..<32 {
                    floats[32 * block + i] = scale * Float(Int8(bitPattern: codes[i]))
                }
            }
        case .ggmlQ4:
            eachBlock(source, count) { scale, codes, block in
                for i in 0..<16 {
                    floats[32 * block + i] = scale * Float(Int(codes[i] & 15) - 8)
                    floats[32 * block + 16 + i] = scale * Float(Int(codes[i] >> 4) - 8)
                }
            }
        }
    }

    private func eachBlock(
        _ source: UnsafeRawPointer, _ count: Int,
        _ body: (_ scale: Float, _ codes: UnsafePointer<UInt8>, _ block: Int) -> Void
    ) {
        for block in 0..<count / blockElements {
            let bytes = source + block * blockBytes
            var scale: Float = 0
            ElementFormat.f16.decode(bytes, count: 1, to: &scale)
            body(scale, (bytes + 2).assumingMemoryBound(to: UInt8.self), block)
        }
    }
}
