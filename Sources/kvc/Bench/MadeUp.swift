import KVCompress

/// Rows of made-up numbers, which are much like normal ones.
///
/// Heads and layers view one pool at different places, so that many of them cost little.
struct MadeUp {
    let heads: HeadCounts
    let dim: Int
    let format: ElementFormat
    private let pools: [Storage]
    private let tokens: Int

    /// Rows from one head's first to the next one's.
    private static let shift = 97
    /// The cosine between rows of a layer and the next one's.
    private static let likeness: Float = 0.6

    /// - Parameter tokens: of a layer.
    init(tokens: Int, heads: HeadCounts, dim: Int, format: ElementFormat = .f16) {
        (self.tokens, self.heads, self.dim) = (tokens, heads, dim)
        self.format = format
        let count = (tokens + (2 * heads.kv + heads.query) * Self.shift) * dim
        let first = Self.normal(count, seed: 1), other = Self.normal(count, seed: 2)
        let rest = (1 - Self.likeness * Self.likeness).squareRoot()
        pools = [first, zip(first, other).map { Self.likeness * $0 + rest * $1 }].map { numbers in
            Storage(byteCount: count * format.byteCount) {
                format.encode(numbers, count: count, to: $0.baseAddress!)
            }
        }
    }

    private func rows(_ layer: Int, place: Int, count: Int) -> Rows {
        Rows(
            storage: pools[layer % 2], byteOffset: place * Self.shift * dim * format.byteCount,
            format: format, count: count, dim: dim)
    }

    /// A layer; neighbours are alike.
    ///
    /// - Parameter queries: how many each query head carries.
    func layer(_ index: Int, queries: Int = 0) -> CacheLayer {
        CacheLayer(
            keys: (0..<heads.kv).map { rows(index, place: $0, count: tokens) },
            values: (0..<heads.kv).map { rows(index, place: heads.kv + $0, count: tokens) },
            queries: queries == 0 ? nil : self.queries(queries))
    }

    /// Queries of every query head: unlike the keys, and so large that attention is on few of them.
    func queries(_ count: Int) -> [Rows] {
        (0..<heads.query).map { head in
            let numbers = rows(0, place: 2 * heads.kv + head, count: count).floats()
            return Rows(numbers.map { 2 * $0 }, dim: dim)
        }
    }

    /// So many rows in f32 that stand in memory of their own.
    func rows(_ count: Int) -> Rows {
        let pool = rows(0, place: 0, count: tokens).floats()
        let storage = Storage(byteCount: count * dim * 4) { bytes in
            pool.withUnsafeBytes { pool in
                for start in stride(from: 0, to: bytes.count, by: pool.count) {
                    (bytes.baseAddress! + start).copyMemory(
                        from: pool.baseAddress!, byteCount: min(pool.count, bytes.count - start))
                }
            }
        }
        return Rows(storage: storage, byteOffset: 0, format: .f32, count: count, dim: dim)
    }

    /// Sums of four even numbers: mean 0, variance 1.
    private static func normal(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &+ 0x9e37_79b9_7f4a_7c15
            var bits = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
            bits ^= bits >> 31
            let sum = bits & 0xffff + bits >> 16 & 0xffff + bits >> 32 & 0xffff + bits >> 48
            return (Float(sum) - 131070) * 2.642_9e-5
        }
    }
}
