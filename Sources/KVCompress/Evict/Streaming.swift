/// The newest tokens, beside the sinks.
struct Streaming: Scorer {
    static let identity = ScorerIdentity(
        name: "streaming",
        summary: "keeps the sinks and the newest tokens",
        source: "StreamingLLM, arXiv 2309.17453, section 3.2"
    )

    init(_ arguments: Arguments) {}

    var isPerLayer: Bool { true }

    func scores(_ observation: Observation) -> [Scores] {
        observation.perKVHead { _, _, row in
            for token in 0..<observation.cache.tokens { row[token] = Float(token) }
        }
    }
}
