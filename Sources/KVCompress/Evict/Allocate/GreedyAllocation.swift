/// Token by token to the layer that gains the largest share of its importance by it.
///
/// The importance of a token is its mean score over the heads, above the lowest one of its layer, and every
/// layer's sums to 1. The paper measures it on a short prefill; here it is the scorer's own. Gains of a layer
/// only fall, so that the greedy choice is the best one, and is found by one ranking of all tokens.
struct GreedyAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "greedy",
        summary: "token by token to the layer whose retained importance grows most",
        source: "XKV, arXiv 2412.05896, section 4",
        differs:
            "importance is the scorer's own; the paper measures it on a short prefill"
    )

    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        let race = LayerRace(
            layers.map { layer in
                let means = layer.scores.means(groups: 1, layer.allocator)
                let lowest = (0..<means.tokens).reduce(Float.infinity) { min($0, means.row(0)[$1]) }
                let sum = (0..<means.tokens).reduce(0.0) {
                    $0 + Double(means.row(0)[$1]) - Double(lowest)
                }
                return Scores(heads: 1, tokens: means.tokens, layer.allocator) { _, gains in
                    for token in 0..<means.tokens where sum > 0 {
                        gains[token] = Float((Double(means.row(0)[token]) - Double(lowest)) / sum)
                    }
                }
            },
            observation.allocator
        )
        return { budget in
            let free = budget - layers[0].protection(budget).count
            let wins = race.wins(each: free, most: .max, of: layers[0].evictable(budget))
            return layers.counts(budget, by: wins)
        }
    }
}
