extension CacheSession {
    /// The position that the next token's query and key are turned to.
    public var position: Int { tokens + offset }

    /// Moves everything that stands, and what will come, by so many positions: the model's own count goes on at
    /// `position`.
    ///
    /// Attention knows distances alone, so what is compressed stays as it is: queries and keys that come are turned
    /// back instead, which is exact up to the rounding of one rotation.
    /// - Throws: `CompressionError`: a cache whose `metadata` does not say how keys are turned (`.cache`), a
    ///   position that would be negative or beyond 2^31 - 1 (`.session`).
    public func shift(by distance: Int) throws(CompressionError) {
        let (moved, overflow) = offset.addingReportingOverflow(distance)
        try checkShift(overflow ? .max : moved)
        offset = moved
        turns = [:]
    }

    /// Refuses an offset that the cache cannot have.
    func checkShift(_ moved: Int) throws(CompressionError) {
        let rope = try RoPE(metadata: options.metadata)
        for (index, layer) in layers.enumerated() where !rope.isValid(dim: layer.geometry.keyDim) {
            throw CompressionError(
                .cache,
                "layer \(index): the metadata's RoPE does not fit key dim \(layer.geometry.keyDim)")
        }
        guard moved >= -Int(Int32.max), moved <= Int(Int32.max), tokens + moved >= 0,
            tokens + moved <= Int(Int32.max)
        else {
            throw CompressionError(
                .session,
                "an offset of \(moved) takes position \(tokens) out of 0...\(Int32.max)")
        }
    }

    /// How a layer's queries and keys are turned to stand as they would in a session that was never shifted.
    func turn(_ layer: Int) -> Turn? {
        guard offset != 0 else { return nil }
        let dim = layers[layer].geometry.keyDim
        if let turn = turns[dim] { return turn }
        guard let rope = try? RoPE(metadata: options.metadata) else { return nil }
        let turn = Turn(rope, by: -offset, dim: dim)
        turns[dim] = turn
        return turn
    }
}

/// One rotation of all rows: RoPE by a distance.
struct Turn: Sendable {
    private let frequencies: [Float]
    private let style: RoPE.Style
    private let isBack: Bool
    /// The distance, once for every row of a run.
    private let positions: [UInt32]

    init(_ rope: RoPE, by distance: Int, dim: Int) {
        frequencies = rope.frequencies(dim: dim)
        style = rope.style
        isBack = distance < 0
        positions = [UInt32](repeating: UInt32(abs(distance)), count: blockEntries)
    }

    /// Turns packed f32 rows in place.
    func apply(
        to rows: UnsafeMutablePointer<Float>, count: Int, dim: Int, kernels: Kernels
    ) {
        for first in stride(from: 0, to: count, by: positions.count) {
            kernels.rope(
                rows + first * dim, count: min(positions.count, count - first), dim: dim,
                positions: positions, frequencies: frequencies, style: style, inverse: isBack)
        }
    }
}
