/// By effective ranks: layers by that of their queries, the heads of a layer by that of their keys.
///
/// The effective rank is exp of the entropy of a covariance's eigenvalues, which sum to 1. The paper cuts the
/// eigenvalues at an elbow and sorts layers and heads into classes; here all of them count, and budgets are in
/// proportion. Ranks come from LAPACK, so that counts may differ between machines where rounding is close.
struct RankAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "rank",
        summary: "more to layers and heads whose queries and keys fill more dimensions",
        source: "UNComp, arXiv 2410.03090, section 3",
        differs:
            "all eigenvalues count and budgets are in proportion; the paper cuts at an "
            + "elbow and sorts layers and heads into classes",
        needs: [.queries],
        isPerHead: true
    )

    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        let ranks = observation.effectiveRanks()
        // Heads that are alike differ in nothing that is kept.
        if layers[0].eviction.sharesTokens {
            return { layers.counts($0, by: ranks.map(\.queries)) }
        }
        let claims = ranks.flatMap { layer in
            let mean = layer.keys.reduce(0, +) / Double(layer.keys.count)
            return layer.keys.map { Claim(weight: layer.queries * $0 / mean) }
        }
        return { budget in
            var counts = claims.counts(
                budget: budget,
                protected: layers[0].protection(budget).count,
                tokens: layers[0].scores.tokens
            )[...]
            return layers.map { layer in
                defer { counts = counts.dropFirst(layer.kvHeads) }
                return Array(counts.prefix(layer.kvHeads))
            }
        }
    }
}
