/// The same for every layer, inside it by the scores of all heads together, each head keeping at least a
/// fifth of the mean (alpha = 0.2).
struct AdaptiveAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "adaptive",
        summary: "the heads of a layer compete for its budget",
        source: "Ada-KV, arXiv 2407.11550, section 3",
        isPerHead: true
    )

    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        { budget in
            observation.workers.map(layers.count) { Self.counts(budget, of: layers[$0]) }
        }
    }

    private static func counts(_ budget: Int, of layer: LayerSelector) -> [Int] {
        let even = [Int](repeating: budget, count: layer.kvHeads)
        let contest = layer.contest(even), rows = contest.rows
        // Heads that are alike have nothing to compete for.
        guard rows.heads == layer.kvHeads, budget < layer.scores.tokens else { return even }
        let units = contest.budgets[0], protected = contest.protected.count
        let floor = max(0, max(1, units / 5) - protected)
        let assured = (0..<rows.heads).flatMap { contest.best(floor, of: contest.candidates($0)) }
        let others = (0..<rows.heads).flatMap { contest.candidates($0) }.without(assured)
        let rest = rows.heads * (units - protected) - assured.count
        let won = Ranking.first(rest, of: others, by: rows.row(0))
        return contest.byRow(assured + won).map { chosen in
            let count = chosen.count + protected
            return count == rows.tokens ? layer.scores.tokens : count * contest.page
        }
    }
}
