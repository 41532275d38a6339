/// As many tokens as the attention needs to keep its norm.
///
/// Tokens are dropped from the least important one on while the Frobenius norm of the attention matrix, its
/// columns of dropped tokens left out, stays within a share of that of the full one. The paper ranks by
/// position: the first tokens, which are our sinks, then from the newest one backward.
struct DBudgetKV: CountingScorer {
    enum Order: String, CaseIterable { case position, attention }

    static let identity = ScorerIdentity(
        name: "dbudgetkv",
        summary: "keeps the newest tokens that the norm of the attention needs; takes no budget",
        source: "DBudgetKV, arXiv 2502.16886, section 3",
        differs:
            "ranking by position protects the plan's sinks as the first tokens; "
            + "order=attention is the alternative that the paper names",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "within",
                .share,
                default: "1%",
                "how much of the attention's norm may be lost"
            ),
            ParameterDescription(
                "order",
                .words(Order.self),
                default: "position",
                "the newest tokens come first, or the most attended"
            ),
        ]
    )

    let within: Share
    let order: Order

    init(_ arguments: Arguments) {
        within = arguments.share("within")
        order = arguments.word("order")
    }

    var settings: [String: String] {
        ["within": within.description, "order": order.rawValue]
    }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        return order == .attention ? observation.receivedAttention(.mean) : observation.places()
    }

    func counts(_ layers: [LayerSelector], _ observation: Observation) -> [[Int]] {
        let squares = observation.attention(.init(reductions: [.squares]))
        let norm = 1 - within.exact
        return observation.workers.map(layers.count) { index in
            let layer = layers[index], contest = layer.contestOfAll()
            let heads = observation.cache.layers[index].queries?.count ?? 0
            let rows = squares.rows(.squares, layer: index, heads: heads)
            let tokens = layer.scores.tokens, group = heads / contest.rows.heads
            let counts = (0..<contest.rows.heads).map { row in
                contest.fewest(row, reaching: norm * norm) { token in
                    (row * group..<(row + 1) * group).reduce(0) {
                        $0 + Double(rows[$1 * tokens + token])
                    }
                }
            }
            return counts.count == layer.kvHeads
                ? counts : [Int](repeating: counts[0], count: layer.kvHeads)
        }
    }
}
