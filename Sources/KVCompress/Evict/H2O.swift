/// The heavy hitters: the tokens that received most attention from all given queries.
struct H2O: Scorer {
    static let identity = ScorerIdentity(
        name: "h2o",
        summary: "keeps what received most attention from all given queries, and the newest tokens",
        source: "H2O, arXiv 2306.14048, section 4.2",
        differs:
            "sums of received attention favour early tokens, so they are divided by the "
            + "number of queries that could see the token; rule=sum is the paper's. One "
            + "choice over all given queries instead of one per step",
        needs: [.queries],
        parameters: [Rule.parameter],
        recent: "half of the budget, rounded down"
    )

    let rule: Rule

    init(_ arguments: Arguments) { rule = arguments.word("rule") }

    var settings: [String: String] { ["rule": rule.rawValue] }

    static var accumulates: Bool { true }

    func defaultRecent(budget: Int, queries: Int) -> Int { budget / 2 }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        return observation.receivedAttention(rule)
    }
}

extension Observation {
    /// The attention that every token received from all given queries, per query head.
    func receivedAttention(_ rule: Rule) -> [Scores] {
        let cache = self.cache, attention = attention(.init(reductions: [.sum]))
        return perQueryHead { index, head, row in
            let layer = cache.layers[index], group = layer.group ?? 1
            let received = attention.rows(.sum, layer: index, heads: layer.queries?.count ?? 0)
            for token in 0..<cache.tokens {
                row[token] = rule.score(
                    received[head * cache.tokens + token],
                    seenBy: layer.queriesSeeing(token, of: cache.tokens, kvHead: head / group))
            }
        }
    }
}
