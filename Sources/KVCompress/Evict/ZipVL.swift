/// The smallest set of tokens of a layer that covers a share of its attention.
///
/// Attention is that received per query which could see the token, the mean over all heads of the layer.
struct ZipVL: CountingScorer {
    static let identity = ScorerIdentity(
        name: "zipvl",
        summary:
            "keeps the fewest tokens of a layer that cover a share of its attention; takes no budget",
        source: "ZipVL, arXiv 2410.08584, section 3",
        differs:
            "tokens outside the set are dropped (the paper's second version); zipcache "
            + "keeps them at fewer bits",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "cover",
                .share,
                default: "97.5%",
                "the share of the attention that is covered"
            )
        ]
    )

    let cover: Share

    init(_ arguments: Arguments) { cover = arguments.share("cover") }

    var settings: [String: String] { ["cover": cover.description] }
    var isPerLayer: Bool { true }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        return observation.receivedAttention(.mean)
    }

    func counts(_ layers: [LayerSelector], _ observation: Observation) -> [[Int]] {
        observation.workers.map(layers.count) { index in
            let layer = layers[index], contest = layer.contestOfAll()
            let count = contest.fewest(0, reaching: cover.exact) { Double(contest.rows.row(0)[$0]) }
            return [Int](repeating: count, count: layer.kvHeads)
        }
    }
}
