/// A dropped value goes into the next kept one, weighted by the attention both receive.
struct WeightedKV: Merger {
    static let identity = MethodIdentity(
        name: "weightedkv",
        summary: "averages dropped values into the next kept one, by the attention they receive",
        source: "WeightedKV, arXiv 2503.01330, section 3",
        needs: [.queries])

    init(_ arguments: Arguments) {}

    func validate(_ plan: Plan) throws(CompressionError) { try requireEviction(plan) }

    func prepare(_ observation: Observation) throws(CompressionError) {
        try prepareReceived(observation)
    }

    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft {
        // A token that nobody attends to weighs next to nothing, and alone it stays what it is.
        let weights = input.received().map { max($0, .leastNormalMagnitude) }
        var mixture = Mixture(weights: weights)
        var first: UInt32 = 0
        for token in input.kept {
            mixture.append(first...token)
            first = token + 1
        }
        mixture.normalize()
        return HeadDraft(
            positions: input.kept, keys: DraftRows(input.keys, input.kept),
            values: DraftRows(mixture, of: input.values),
            merged: mixture.tokens)
    }
}
