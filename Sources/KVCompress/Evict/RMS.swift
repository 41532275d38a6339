/// The root mean square of the attention received.
struct RMS: Scorer {
    static let identity = ScorerIdentity(
        name: "rms",
        summary:
            "keeps what received attention of the highest root mean square from all given queries",
        source: "Attention Matching, arXiv 2602.16284 (its choice of entries)",
        needs: [.queries]
    )

    init(_ arguments: Arguments) {}

    /// Squares are averaged over the queries that could see the token, and roots over the query heads of a
    /// kv head, as all scores are.
    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let cache = observation.cache
        let attention = observation.attention(.init(reductions: [.squares]))
        return observation.perQueryHead(attention, .squares) { layer, received, row in
            let queries = cache.layers[layer].queries?[0].count ?? 0
            for token in 0..<cache.tokens {
                let seenBy = min(queries, cache.tokens - token)
                row[token] = (received[token] / Float(seenBy)).squareRoot()
            }
        }
    }
}
