/// The protected tokens in every layer, and the rest of the budget falling linearly from 39/20 of its mean
/// in the first layer to 1/20 in the last (beta = 20).
struct PyramidAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "pyramid",
        summary: "less from layer to layer, linearly",
        source: "PyramidKV, arXiv 2406.02069, section 4",
        differs:
            "the sum over layers is exact by rounding running totals"
    )

    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        let last = layers.count - 1
        let weights = layers.indices.map { Double(39 * last - 38 * $0) }
        return { layers.counts($0, by: weights) }
    }
}
