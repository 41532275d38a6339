/// By how widely the queries of a layer spread their attention: the softmax over the layers of its mean entropy.
///
/// The paper takes the entropy between text and image tokens; here it is that of the whole map, per query.
struct EntropyAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "entropy",
        summary: "more to layers whose attention is spread widely",
        source: "MEDA, arXiv 2502.17599, section 3",
        differs:
            "entropy of the whole attention map; the paper's is between text and image "
            + "tokens",
        needs: [.queries]
    )

    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        let cache = observation.cache
        let attention = observation.attention(.init(reductions: [.entropy]))
        var weights = cache.layers.indices.map { layer in
            let heads = cache.layers[layer].queries?.count ?? 0
            let entropies = attention.rows(.entropy, layer: layer, heads: heads)
            let sum = (0..<heads * cache.tokens).reduce(0.0) { $0 + Double(entropies[$1]) }
            return Float(sum / Double(heads * layers[layer].queries))
        }
        observation.kernels.softmax(&weights, count: weights.count)
        return { layers.counts($0, by: weights.map(Double.init)) }
    }
}
