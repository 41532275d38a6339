/// The heavy hitters: the tokens that received most attention from all given queries.
struct H2O: Scorer {
    enum Rule: String, CaseIterable { case mean, sum }

    static let identity = ScorerIdentity(
        name: "h2o",
        summary: "keeps what received most attention from all given queries, and the newest tokens",
        source: "H2O, arXiv 2306.14048, section 4.2",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "rule",
                .words(Rule.self),
                default: "mean",
                "attention per query that could see the token, or the paper's sum, which favours early tokens"
            )
        ],
        recent: "half of the budget, rounded down"
    )

    let rule: Rule

    init(_ arguments: Arguments) { rule = arguments.word("rule") }

    var settings: [String: String] { ["rule": rule.rawValue] }

    func defaultRecent(budget: Int, queries: Int) -> Int { budget / 2 }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let cache = observation.cache
        let attention = observation.attention(.init(reductions: [.sum]))
        return observation.perQueryHead(attention, .sum) { layer, received, row in
            let queries = cache.layers[layer].queries?[0].count ?? 0
            for token in 0..<cache.tokens {
                let seenBy = min(queries, cache.tokens - token)
                row[token] = rule == .sum ? received[token] : received[token] / Float(seenBy)
            }
        }
    }
}
