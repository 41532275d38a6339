/// Makes fewer entries of what one kv head keeps, or folds what it dropped into them.
protocol Merger: StageMethod {
    /// Asks the observation for all that `merge` will read of it, before heads are merged in parallel.
    func prepare(_ observation: Observation) throws(CompressionError)

    /// Whether entries may be merged that were merged before.
    static var mergesAgain: Bool { get }

    /// The same for a cache that has so many tokens in its past, kept or not.
    func ofPast(_ tokens: Int) -> Self

    /// The entries of one kv head after merging; at least one.
    ///
    /// Remarks are told once for all heads, so they name none.
    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft
}

extension Merger {
    static var method: MethodDescription { method(.merge) { $1.merger = $0 } }

    static var mergesAgain: Bool { false }
    func ofPast(_ tokens: Int) -> Self { self }

    func prepare(_ observation: Observation) throws(CompressionError) {}
}

/// One kv head before merging.
struct MergeInput {
    let observation: Observation
    let layer: Int
    let head: Int
    /// The tokens that an eviction left, ascending.
    let kept: [UInt32]

    var keys: Rows { observation.cache.layers[layer].keys[head] }
    var values: Rows { observation.cache.layers[layer].values[head] }
    var tokens: Int { observation.cache.tokens }
    var kernels: Kernels { observation.kernels }
    var allocator: Allocator { observation.allocator }

    /// What the rows counted for before.
    var mass: Mass {
        observation.cache.layers[layer].origins.map { $0.heads[head].mass } ?? .ones
    }

    /// The kept rows as they are.
    func keeping() -> HeadDraft {
        var draft = HeadDraft(keeping: kept, keys: keys, values: values)
        draft.mass = mass.of(kept)
        return draft
    }

    /// Attention that every token received, kept or not: the sum over queries, divided by how many could
    /// see it, averaged over the group.
    ///
    /// `prepare` must have asked for `Observation.attention(.init(reductions: [.sum]))`.
    func received() -> [Float] {
        let layer = observation.cache.layers[layer]
        let queryHeads = layer.queries?.count ?? 0, group = queryHeads / layer.keys.count
        let sums = observation.attention(.init(reductions: [.sum]))
            .rows(.sum, layer: self.layer, heads: queryHeads)
        let first = head * group * tokens
        // Without a past, row t is seen by the queries from position t on.
        let observed = layer.origins == nil ? layer.queries?[0].count : nil
        return [Float](unsafeUninitializedCapacity: tokens) { received, initialized in
            for token in 0..<tokens {
                var sum = 0.0
                for member in 0..<group { sum += Double(sums[first + member * tokens + token]) }
                let seeing =
                    observed.map { min($0, tokens - token) }
                    ?? layer.queriesSeeing(token, of: tokens, kvHead: head)
                received[token] = Float(sum / Double(group * seeing))
            }
            initialized = tokens
        }
    }
}
