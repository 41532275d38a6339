/// Says how much every token of every head is worth: one file, and its name in `Registry`.
protocol Scorer: Hashable, Sendable {
    /// Its name, what it needs, and the parameters that are its own.
    static var identity: ScorerIdentity { get }

    init(_ arguments: Arguments)

    /// The values of its own parameters, as a plan writes them.
    var settings: [String: String] { get }

    /// Whether the score is one for the whole layer (the mean of the rows), so that all heads keep the same.
    var isPerLayer: Bool { get }

    /// Whether the attention that entries received from queries that are gone counts.
    static var accumulates: Bool { get }

    /// The newest tokens that are protected when the plan does not say.
    func defaultRecent(budget: Int, queries: Int) -> Int

    /// What the report should say of the smallest budget of a layer and of a cache with so many tokens and queries.
    func remarks(budget: Int, tokens: Int, queries: Int) -> [String]

    /// The scores of all layers; higher is kept.
    func scores(_ observation: Observation) throws(CompressionError) -> [Scores]
}

extension Scorer {
    /// The method that a plan names.
    static var method: MethodDescription { Eviction.method(of: Self.self) }

    var settings: [String: String] { [:] }
    var isPerLayer: Bool { false }
    static var accumulates: Bool { false }
    func defaultRecent(budget: Int, queries: Int) -> Int { 0 }
    func remarks(budget: Int, tokens: Int, queries: Int) -> [String] { [] }

    func equals(_ other: any Scorer) -> Bool { (other as? Self) == self }
}

/// A scorer that also says how many tokens are needed: its method takes no budget.
protocol CountingScorer: Scorer {
    /// Whether the heads of a layer get numbers of their own, whatever the plan says.
    static var countsPerHead: Bool { get }

    /// Tokens of every kv head of every layer, the protected ones included, 1 to all each.
    func counts(_ layers: [LayerSelector], _ observation: Observation) -> [[Int]]
}

extension CountingScorer {
    static var countsPerHead: Bool { false }
}

/// What a scorer's file says of it; the parameters that all evictions have are added to these.
struct ScorerIdentity: Sendable {
    var name: String
    var summary: String
    var source: String
    /// Where it differs from its source, and why.
    var differs = ""
    var needs: [Need] = []
    var parameters: [ParameterDescription] = []
    /// What `recent=` is when it is not given, for people.
    var recent = "0"
}

/// The scores of one layer: a row per query head, or per kv head where queries play no part.
struct Scores: Sendable {
    let values: Buffer<Float>
    let heads: Int
    let tokens: Int

    /// Fills a row per head.
    init(
        heads: Int,
        tokens: Int,
        _ allocator: Allocator,
        _ fill: (_ head: Int, _ row: UnsafeMutablePointer<Float>) -> Void
    ) {
        self.heads = heads
        self.tokens = tokens
        values = allocator.buffer(Float.self, heads * tokens)
        for head in 0..<heads { fill(head, values.pointer + head * tokens) }
    }

    func row(_ head: Int) -> UnsafePointer<Float> { UnsafePointer(values.pointer + head * tokens) }

    /// Means over runs of `heads / groups` neighbouring rows, one per kv head or one in all, summed over pages
    /// of tokens.
    ///
    /// Everything is added up in double precision before it is divided, so that the order of heads does not
    /// show and equal sums stay equal.
    func means(groups: Int, page: Int = 1, _ allocator: Allocator) -> Scores {
        let size = heads / groups
        guard size > 1 || page > 1 else { return self }
        return Scores(heads: groups, tokens: (tokens + page - 1) / page, allocator) {
            group,
            means in
            let rows = (group * size..<(group + 1) * size).map(row)
            for first in stride(from: 0, to: tokens, by: page) {
                var sum = 0.0
                for token in first..<min(first + page, tokens) {
                    for row in rows { sum += Double(row[token]) }
                }
                means[first / page] = Float(sum / Double(size))
            }
        }
    }
}

extension Observation {
    /// Scores of all layers with a row per kv head.
    func perKVHead(
        _ fill:
            @escaping @Sendable (_ layer: Int, _ head: Int, _ row: UnsafeMutablePointer<Float>) ->
            Void
    ) -> [Scores] {
        workers.map(cache.layers.count) { layer in
            Scores(
                heads: self.cache.layers[layer].keys.count,
                tokens: self.cache.tokens,
                self.allocator
            ) {
                fill(layer, $0, $1)
            }
        }
    }

    /// Scores of all layers with a row per query head.
    func perQueryHead(
        _ fill:
            @escaping @Sendable (_ layer: Int, _ head: Int, _ row: UnsafeMutablePointer<Float>) ->
            Void
    ) -> [Scores] {
        workers.map(cache.layers.count) { layer in
            Scores(
                heads: self.cache.layers[layer].queries?.count ?? 0,
                tokens: self.cache.tokens,
                self.allocator
            ) {
                fill(layer, $0, $1)
            }
        }
    }

    /// Scores of all layers with a row per query head, made of one reduction of the attention received.
    func perQueryHead(
        _ attention: ReceivedAttention,
        _ reduction: ReceivedAttention.Reduction,
        _ fill:
            @escaping @Sendable (
                _ layer: Int, _ received: UnsafePointer<Float>, _ row: UnsafeMutablePointer<Float>
            ) -> Void
    ) -> [Scores] {
        perQueryHead { layer, head, row in
            let heads = self.cache.layers[layer].queries?.count ?? 0
            let rows = attention.rows(reduction, layer: layer, heads: heads)
            fill(layer, rows + head * self.cache.tokens, row)
        }
    }
}
