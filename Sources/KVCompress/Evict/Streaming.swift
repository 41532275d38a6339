/// The newest tokens, beside the sinks.
struct Streaming: Scorer {
    static let identity = ScorerIdentity(
        name: "streaming",
        summary: "keeps the sinks and the newest tokens",
        source: "StreamingLLM, arXiv 2309.17453, section 3.2",
        differs:
            "entries keep their positions in the text; the paper numbers them anew inside the cache"
    )

    init(_ arguments: Arguments) {}

    var isPerLayer: Bool { true }

    func scores(_ observation: Observation) -> [Scores] { observation.places() }
}

extension Observation {
    /// The place of every token, per kv head: newer ones are worth more.
    func places() -> [Scores] {
        let tokens = cache.tokens
        return perKVHead { _, _, row in
            for token in 0..<tokens { row[token] = Float(token) }
        }
    }
}
