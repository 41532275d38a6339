/// What the last query attends to, one score for all heads of a layer.
struct TOVA: Scorer {
    static let identity = ScorerIdentity(
        name: "tova",
        summary: "keeps what the last query attends to, the same tokens in all heads of a layer",
        source: "TOVA, arXiv 2401.06104, section 3",
        differs:
            "one choice by the last given query instead of one per step",
        needs: [.queries]
    )

    init(_ arguments: Arguments) {}

    var isPerLayer: Bool { true }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let attention = observation.attention(.init(reductions: [.windowSum], window: 1))
        return observation.perQueryHead(attention, .windowSum) { _, received, row in
            row.update(from: received, count: observation.cache.tokens)
        }
    }
}
