extension Merger {
    /// Refuses a plan that drops nothing, in the name of a method that is about what is dropped.
    func requireEviction(_ plan: Plan) throws(CompressionError) {
        guard plan.eviction == nil else { return }
        let name = Self.identity.name
        throw CompressionError(
            .plan,
            "'\(name)' folds what an eviction drops into what it keeps, and this plan keeps everything; "
                + "expected an eviction before it, such as 'h2o(budget=50%) | \(name)'")
    }

    /// Asks the observation for the attention that tokens received, and checks it.
    func prepareReceived(_ observation: Observation) throws(CompressionError) {
        let name = Self.identity.name, cache = observation.cache
        try observation.requireQueries(for: name)
        let attention = observation.attention(.init(reductions: [.sum]))
        for (index, layer) in cache.layers.enumerated() {
            let heads = layer.queries?.count ?? 0
            let sums = attention.rows(.sum, layer: index, heads: heads)
            guard
                let place = observation.kernels.firstNotFinite(sums, count: heads * cache.tokens)
            else { continue }
            throw CompressionError(
                .values,
                "layer \(index), query head \(place / cache.tokens), token \(place % cache.tokens): "
                    + "'\(name)' needs the attention it received, which is \(sums[place]); "
                    + "keys or queries are too large")
        }
    }
}
