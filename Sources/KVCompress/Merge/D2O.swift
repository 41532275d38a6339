/// Dropped tokens that resemble a kept one are merged into it, key and value.
struct D2O: Merger {
    static let identity = MethodIdentity(
        name: "d2o",
        summary:
            "merges dropped tokens into the kept one of most similar key, where similar enough",
        source: "D2O, arXiv 2406.13035, section 3.3",
        differs:
            "the average over a head's dropped tokens stands for the paper's running one; budgets "
            + "of layers are the eviction's, not by the variance of attention",
        parameters: [
            ParameterDescription(
                "threshold", .word("mean", or: .number(-1...1)), default: "mean",
                "least cosine to merge; mean: the average over the dropped tokens of a head")
        ])

    /// The least cosine; nil: the mean.
    let threshold: Double?

    init(_ arguments: Arguments) {
        if case .number(let least)? = arguments["threshold"] {
            threshold = least
        } else {
            threshold = nil
        }
    }

    var settings: [String: String] { ["threshold": threshold.map(decimalText) ?? "mean"] }

    func validate(_ plan: Plan) throws(CompressionError) { try requireEviction(plan) }

    func prepare(_ observation: Observation) { Nearest.prepare(observation) }

    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft {
        let nearest = Nearest(input)
        // The paper's moving average begins with this mean and moves on while decoding.
        let mean =
            nearest.cosines.reduce(0.0) { $0 + Double($1) } / Double(max(nearest.cosines.count, 1))
        let least = threshold ?? mean
        let home = nearest.home(input.kept, tokens: input.tokens) {
            Double(nearest.cosines[$0]) >= least
        }
        // exp(cosine) beside e for the kept token itself, both divided by e.
        var weights = [Float](repeating: 1, count: input.tokens)
        let similarities = input.kernels.exponentials(nearest.cosines.map { $0 - 1 })
        for (index, token) in nearest.dropped.enumerated() {
            weights[Int(token)] = similarities[index]
        }
        var mixture = Mixture(entries: input.kept.count, home: home, weights: weights)
        mixture.normalize()
        return HeadDraft(
            positions: input.kept,
            keys: DraftRows(mixture, of: input.keys),
            values: DraftRows(mixture, of: input.values),
            merged: mixture.tokens)
    }
}
