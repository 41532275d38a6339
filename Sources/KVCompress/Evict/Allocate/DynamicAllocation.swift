/// By what the tokens of each layer win when those of all layers compete by their scores.
///
/// The paper updates the counts every few layers during a prefill; here all layers are known, and one contest
/// settles them. A head enters it with at most `most` times the mean.
struct DynamicAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "dynamic",
        summary: "the tokens of all layers compete by their scores",
        source: "DynamicKV, arXiv 2412.14838, section 3",
        differs:
            "one contest over all layers, which are all known here; the paper updates "
            + "counts every few layers of a prefill",
        parameters: [
            ParameterDescription(
                "most",
                .count(1...Int(Int32.max)),
                default: "10",
                "a head competes with at most so many times the mean"
            )
        ]
    )

    let most: Int

    init(_ arguments: Arguments) { most = arguments.count("most") }

    var description: String { "dynamic(\(most))" }

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        let race = LayerRace(
            layers.map { layer in
                let groups = layer.eviction.sharesTokens ? 1 : layer.kvHeads
                return layer.scores.means(groups: groups, layer.allocator)
            },
            observation.allocator
        )
        return { budget in
            let free = budget - layers[0].protection(budget).count
            let wins = race.wins(
                each: free,
                most: most * free,
                of: layers[0].evictable(budget)
            )
            return layers.counts(budget, by: wins)
        }
    }
}
