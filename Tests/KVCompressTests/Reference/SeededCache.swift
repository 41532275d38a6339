import Testing

@testable import KVCompress

/// Numbers that depend on the seed alone.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(seed) &* 0x2545_F491_4F6C_DD1D &+ 1 }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let x = (state ^ (state >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        return x ^ (x >> 29)
    }

    mutating func floats(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }
}

/// A cache of random rows, kept as plain arrays beside it for the references.
struct SeededCache {
    var cache: Cache
    /// The keys: `[layer][head][token][element]`.
    var keys: [[[[Float]]]] = []
    var values: [[[[Float]]]] = []
    var queries: [[[[Float]]]] = []
    let group: Int

    init(
        seed: Int,
        layers: Int = 2,
        kvHeads: Int = 3,
        group: Int = 2,
        tokens: Int = 70,
        dim: Int = 12,
        queries count: Int? = nil,
        format: ElementFormat = .f32,
        padding: Int = 0,
        smoothness: Float = 0
    ) throws {
        var random = Seeded(seed)
        self.group = group
        let queryCount = count ?? tokens
        func heads(_ count: Int, _ rows: Int, _ range: ClosedRange<Float>) -> [Rows] {
            (0..<count).map { _ in
                var numbers = random.floats(rows * (dim + padding), range)
                // Every row is partly the one before.
                for i in numbers.indices.dropFirst(dim + padding) where smoothness > 0 {
                    numbers[i] += smoothness * (numbers[i - dim - padding] - numbers[i])
                }
                return Self.rows(numbers, format, dim: dim, stride: dim + padding)
            }
        }
        var built: [CacheLayer] = []
        for _ in 0..<layers {
            let keys = heads(kvHeads, tokens, -1...1), values = heads(kvHeads, tokens, -1...1)
            // Queries long enough that attention is uneven.
            let queries = heads(kvHeads * group, queryCount, -4...4)
            built.append(
                CacheLayer(keys: keys, values: values, queries: queryCount > 0 ? queries : nil)
            )
            self.keys.append(keys.map(Self.arrays))
            self.values.append(values.map(Self.arrays))
            self.queries.append(queries.map(Self.arrays))
        }
        cache = try Cache(layers: built)
    }

    private static func rows(
        _ numbers: [Float],
        _ format: ElementFormat,
        dim: Int,
        stride: Int
    ) -> Rows {
        let storage = Allocator().allocate(numbers.count * format.byteCount)
        Kernels.best.convert(numbers, count: numbers.count, to: format, at: storage.base)
        return Rows(
            storage: storage,
            byteOffset: 0,
            format: format,
            count: numbers.count / stride,
            dim: dim,
            stride: stride
        )
    }

    private static func arrays(_ rows: Rows) -> [[Float]] {
        (0..<rows.count).map { rows[$0..<$0 + 1].floats() }
    }

    func observation(threads: Int = 1, _ set: InstructionSet = .best) -> Observation {
        Observation(
            cache: cache,
            kernels: Kernels(set),
            workers: Workers(threads: threads),
            allocator: Allocator()
        )
    }
}

/// A scorer whose scores the test gives: `[layer][head][token]`.
struct Given: Scorer {
    static let identity = ScorerIdentity(name: "given", summary: "", source: "")
    var table: [[[Float]]] = []

    init(_ arguments: Arguments) {}

    init(_ table: [[[Float]]]) { self.table = table }

    func scores(_ observation: Observation) -> [Scores] {
        table.map { rows in
            Scores(heads: rows.count, tokens: rows[0].count, Allocator()) { head, row in
                for token in rows[head].indices { row[token] = rows[head][token] }
            }
        }
    }

    /// A plan's eviction with these scores.
    func eviction(_ parameters: String, _ crush: String? = nil) throws -> Eviction {
        let text = "random(\(parameters))" + (crush.map { " | \($0)" } ?? "")
        var eviction = try #require(Plan(text).eviction)
        eviction.scorer = self
        return eviction
    }

    /// Scores with many ties when `levels` is small.
    static func random(seed: Int, layers: Int, heads: Int, tokens: Int, levels: Int) -> Given {
        var random = Seeded(seed)
        return Given(
            (0..<layers).map { _ in
                (0..<heads).map { _ in
                    (0..<tokens).map { _ in Float(Int.random(in: 0..<levels, using: &random)) / 16 }
                }
            }
        )
    }
}
