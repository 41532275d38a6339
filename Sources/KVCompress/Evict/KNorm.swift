/// Keys of small norm, which tend to receive much attention.
struct KNorm: Scorer {
    static let identity = ScorerIdentity(
        name: "knorm",
        summary: "keeps the keys of smallest norm",
        source: "L2 norm, arXiv 2406.11430, section 3"
    )

    init(_ arguments: Arguments) {}

    func scores(_ observation: Observation) -> [Scores] {
        let norms = observation.keyNorms()
        return observation.perKVHead { layer, head, row in
            for token in 0..<observation.cache.tokens {
                row[token] = -norms[layer][head].pointer[token]
            }
        }
    }
}
