@testable import KVCompress

extension Seeded {
    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements.randomElement(using: &self)!
    }

    /// A number of mean 0 and deviation 1, nearly normal.
    mutating func normal() -> Float {
        (0..<6).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &self) }
            / Float(2).squareRoot()
    }
}

/// The shape of a random cache.
struct RandomCache: CustomStringConvertible {
    var seed: Int
    var layers = 1
    var kvHeads = 2
    var group = 2
    var tokens = 100
    var keyDim = 32
    var valueDim = 32
    var format = ElementFormat.f32
    /// Recorded queries per head.
    var queries: Int?

    static let dims = [8, 32, 40, 64, 80, 128, 1, 7, 33]
    static let groups = [1, 4, 7, 8, 16]

    /// Dims, group, tokens and format drawn from the seed.
    static func any(_ seed: Int, tokens: ClosedRange<Int> = 1...300) -> RandomCache {
        var random = Seeded(seed)
        let dim = random.pick(dims)
        let group = random.pick(groups)
        return RandomCache(
            seed: seed,
            layers: random.int(1...2),
            kvHeads: random.int(1...(group > 4 ? 2 : 3)),
            group: group,
            tokens: random.int(tokens),
            keyDim: dim,
            valueDim: random.int(0...3) == 0 ? random.pick(dims) : dim,
            format: random.pick(ElementFormat.allCases)
        )
    }

    var description: String {
        "seed \(seed): \(layers) layers, \(kvHeads) kv heads x \(group), \(tokens) tokens, "
            + "dims \(keyDim) and \(valueDim), \(format)"
    }

    /// Keys with some strong channels, as real ones have; values with a common offset.
    func make() throws -> Cache {
        var random = Seeded(seed &+ 1000)
        let built = (0..<layers).map { _ in
            CacheLayer(
                keys: (0..<kvHeads).map { _ in rows(tokens, keyDim, strong: true, &random) },
                values: (0..<kvHeads).map { _ in rows(tokens, valueDim, strong: false, &random) },
                queries: queries.map { count in queryRows(count, &random) }
            )
        }
        return try Cache(
            layers: built,
            metadata: [
                "model": "random \(seed)", "rope_theta": "1000",
                "rope_style": seed % 2 == 0 ? "split-half" : "interleaved",
                "rope_dims": "\(keyDim / 2 * 2)",
            ]
        )
    }

    /// Query rows of one layer, f32, per query head.
    func makeQueries(_ count: Int) -> [Rows] {
        var random = Seeded(seed &+ 2000)
        return queryRows(count, &random)
    }

    private func queryRows(_ count: Int, _ random: inout Seeded) -> [Rows] {
        (0..<kvHeads * group).map { _ in
            Rows((0..<count * keyDim).map { _ in random.normal() }, dim: keyDim)
        }
    }

    private func rows(_ count: Int, _ dim: Int, strong: Bool, _ random: inout Seeded) -> Rows {
        let sizes = (0..<dim).map { $0 % 13 == 5 && strong ? Float(4) : 1 }
        let floats = (0..<count * dim).map {
            random.normal() * sizes[$0 % dim] + (strong ? 0 : 0.5)
        }
        return Rows(floats, dim: dim).converted(to: format)
    }
}

extension Rows {
    /// The same rows, packed, in another format.
    func converted(to format: ElementFormat) -> Rows {
        let storage = Allocator().allocate(count * dim * format.byteCount)
        Kernels.best.convert(floats(), count: count * dim, to: format, at: storage.base)
        return Rows(storage: storage, byteOffset: 0, format: format, count: count, dim: dim)
    }

    /// One row.
    func row(_ index: Int) -> [Float] { self[index..<index + 1].floats() }
}

extension [Float] {
    /// Bit patterns, for comparisons that tell +0 from -0 and let NaN equal itself.
    var bits: [UInt32] { map(\.bitPattern) }
}
