/// Tokens that stay important: seldom below what even attention would give them.
struct Scissorhands: Scorer {
    static let identity = ScorerIdentity(
        name: "scissorhands",
        summary: "drops what most queries of a window attend to less than to the average token",
        source: "Scissorhands, arXiv 2305.17118, section 4 (Algorithm 2)",
        differs:
            "one choice over the last given queries; layers get their budgets by allocate=, "
            + "not by the paper's schedule",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "history",
                .count(1...Int.max),
                default: "400",
                "the last queries that count (all, when there are fewer)"
            ),
            Rule.parameter,
        ],
        recent: "10"
    )

    let history: Int
    let rule: Rule

    init(_ arguments: Arguments) {
        history = arguments.count("history")
        rule = arguments.word("rule")
    }

    var settings: [String: String] { ["history": "\(history)", "rule": rule.rawValue] }

    func defaultRecent(budget: Int, queries: Int) -> Int { 10 }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let cache = observation.cache
        let attention = observation.attention(.init(reductions: [.below], last: history))
        return observation.perQueryHead(attention, .below) { layer, below, row in
            let queries = min(history, cache.layers[layer].queries?[0].count ?? 0)
            for token in 0..<cache.tokens {
                row[token] = -rule.score(
                    below[token], seenBy: min(queries, cache.tokens - token))
            }
        }
    }
}
