extension Eviction {
    /// Chooses what every head of every layer keeps.
    ///
    /// `encoded` tells the stored bytes of the whole cache for so many tokens of each layer and head; it
    /// never falls when a count grows. It is asked only for budgets in bytes.
    ///
    /// - Throws: `CompressionError` when the scorer needs queries that the cache lacks, when a score is not
    ///   finite, and when a budget in bytes cannot hold one token per head.
    func select(
        from observation: Observation,
        encoded: (_ counts: [[Int]]) -> Int
    ) throws(CompressionError) -> Selection {
        try validate()
        let cache = observation.cache
        let scores = try scorer.scores(observation)
        try check(scores, observation)
        let layers = cache.layers.indices.map { index in
            LayerSelector(
                eviction: self,
                scores: scores[index],
                kvHeads: cache.layers[index].keys.count,
                queries: cache.layers[index].queries?[0].count ?? 0,
                layer: index,
                kernels: observation.kernels,
                allocator: observation.allocator
            )
        }
        let (counts, remark) = try counts(layers, observation, encoded)
        let kept = observation.workers.map(layers.count) { layers[$0].kept(counts[$0]) }
        let means = counts.map { $0.reduce(0, +) / $0.count }
        let smallest = zip(layers, means).min { $0.1 < $1.1 }
        var selection = Selection(
            kept: kept.map(\.tokens),
            remarks: [remark].compactMap { $0 } + (smallest.map { $0.remarks(budget: $1) } ?? [])
        )
        if crush?.precision != nil { selection.representatives = kept.map(\.representatives) }
        return selection
    }

    /// The tokens of every kv head of every layer, and what had to be done to the budget.
    private func counts(
        _ layers: [LayerSelector],
        _ observation: Observation,
        _ encoded: (_ counts: [[Int]]) -> Int
    ) throws(CompressionError) -> ([[Int]], remark: String?) {
        guard let budget else {
            guard let decider = scorer as? any CountingScorer else {
                preconditionFailure("'\(method)' needs a budget")
            }
            return (decider.counts(layers, observation), nil)
        }
        let spread = try spread(over: layers, observation)
        let (tokens, remark) = try budget.tokensPerHead(of: observation.cache.tokens) { tokens in
            encoded(zip(layers, spread(tokens)).map { $0.spends($1) })
        }
        return (spread(tokens), remark)
    }

    /// What the allocation makes of budgets.
    private func spread(over layers: [LayerSelector], _ observation: Observation)
        throws(CompressionError) -> Spread
    {
        if type(of: allocation).identity.needs.contains(.queries) {
            try observation.requireQueries(for: "allocate=\(allocation)")
        }
        return allocation.spread(over: layers, observation)
    }

    private func check(_ scores: [Scores], _ observation: Observation) throws(CompressionError) {
        for (layer, scores) in scores.enumerated() {
            let count = scores.heads * scores.tokens
            guard let place = observation.kernels.firstNotFinite(scores.row(0), count: count) else {
                continue
            }
            throw CompressionError(
                .values,
                "layer \(layer), head \(place / scores.tokens), token \(place % scores.tokens): "
                    + "the score of '\(method)' is \(scores.row(0)[place]); keys or queries are too large"
            )
        }
    }
}

extension Budget {
    /// The budget as tokens per head, at least one, and what had to be done to make it so.
    func tokensPerHead(
        of all: Int,
        bytes: (_ tokens: Int) -> Int
    ) throws(CompressionError) -> (Int, remark: String?) {
        switch self {
        case .share(let share):
            let count = share.of(all)
            return count > 0
                ? (count, nil)
                : (1, "a budget of \(share) of \(all) tokens is less than one; one is kept")
        case .tokens(let count):
            return count <= all
                ? (count, nil)
                : (all, "a budget of \(count) tokens exceeds the cache's \(all); all are kept")
        case .bytes(let limit):
            if bytes(all) <= limit {
                return (all, "a budget of \(self) holds the whole cache; all tokens are kept")
            }
            let least = bytes(1)
            guard least <= limit else {
                throw CompressionError(
                    .plan,
                    "budget=\(self) is too small: one token per head takes \(least) bytes"
                )
            }
            var fits = 1, exceeds = all
            while exceeds - fits > 1 {
                let middle = (fits + exceeds) / 2
                if bytes(middle) <= limit { fits = middle } else { exceeds = middle }
            }
            return (fits, "a budget of \(self) is \(fits) of \(all) tokens per head")
        }
    }
}
