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

    /// Rows of a shifted session as they would stand in one that was never shifted.
    func unshifted(_ heads: [Rows]) -> [Rows] {
        guard offset != 0, let rope = try? RoPE(metadata: options.metadata) else { return heads }
        return heads.map { rows in
            var floats = rows.floats()
            kernels.rope(
                &floats, dim: rows.dim,
                positions: [UInt32](repeating: UInt32(abs(offset)), count: rows.count),
                frequencies: rope.frequencies(dim: rows.dim), style: rope.style,
                inverse: offset > 0)
            return Rows(floats, dim: rows.dim)
        }
    }
}
