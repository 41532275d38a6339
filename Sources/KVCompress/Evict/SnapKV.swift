/// The attention of the last queries, spread to neighbours.
struct SnapKV: Scorer {
    static let identity = ScorerIdentity(
        name: "snapkv",
        summary: "keeps what the last queries attend to, with its neighbours",
        source: "SnapKV, arXiv 2404.14469, section 4",
        differs:
            "the window's own tokens are pooled apart from those before it; pool=max(7) is "
            + "the paper's, mean(5) that of its code",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "observe",
                .count(1...Int.max),
                default: "32",
                "the last queries that count (all, when there are fewer)"
            ),
            ParameterDescription(
                "pool",
                Pool.kind,
                default: "max(7)",
                "how a token's score spreads to its neighbours"
            ),
        ],
        recent: "the observed queries' own tokens"
    )

    let observe: Int
    let pool: Pool

    init(_ arguments: Arguments) {
        observe = arguments.count("observe")
        pool = Pool(arguments.choice("pool"))
    }

    var settings: [String: String] { ["observe": "\(observe)", "pool": pool.description] }

    func defaultRecent(budget: Int, queries: Int) -> Int { min(observe, queries) }

    func remarks(budget: Int, tokens: Int, queries: Int) -> [String] {
        queries < observe
            ? [
                "snapkv: observe=\(observe), and the cache carries \(queries) queries; all are observed"
            ] : []
    }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        return observation.windowAttention(of: observe, pool)
    }
}
