/// Dropped tokens that resemble a kept one are merged into it, and the entry carries their votes.
///
/// What a token weighs in a merge is exp(logit) of a query that stands for those to come: the mean of the
/// last observed ones, of all query heads of the group.
struct KeepKV: Merger {
    enum Keys: String, CaseIterable { case convex, paper }

    static let identity = MethodIdentity(
        name: "keepkv",
        summary:
            "merges dropped tokens into the kept one of most similar key, and counts their votes",
        source: "KeepKV, arXiv 2504.09936, section 4",
        differs:
            "the mean of the last given queries stands for the paper's running prediction "
            + "of the next one; keys=paper is its rule for keys, which rescales them",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "threshold", .number(-1...1), default: "0.8",
                "cosine of keys above which a token is merged"),
            ParameterDescription(
                "keys", .words(Keys.self), default: "convex",
                "the weighted mean of keys, or the paper's rule, which scales it by 1/2 to 2 to leave attention unchanged"
            ),
            ParameterDescription(
                "observe", .count(1...Int.max), default: "32",
                "the last queries whose mean weighs tokens (all, when there are fewer)"),
        ])

    let threshold: Double
    let keys: Keys
    let observe: Int

    init(_ arguments: Arguments) {
        threshold = arguments.number("threshold")
        keys = arguments.word("keys")
        observe = arguments.count("observe")
    }

    var settings: [String: String] {
        ["threshold": decimalText(threshold), "keys": keys.rawValue, "observe": "\(observe)"]
    }

    func validate(_ plan: Plan) throws(CompressionError) { try requireEviction(plan) }

    func prepare(_ observation: Observation) throws(CompressionError) {
        try observation.requireQueries(for: Self.identity.name)
        Nearest.prepare(observation)
    }

    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft {
        let nearest = Nearest(input)
        var votes = [UInt32](repeating: 1, count: input.kept.count)
        let home = nearest.home(input.kept, tokens: input.tokens) { index in
            let place = Int(nearest.places[index])
            guard Double(nearest.cosines[index]) > threshold, votes[place] < EntryVector.mostVotes
            else { return false }
            votes[place] += 1
            return true
        }
        let logits = expectedLogits(input)
        var mixture = Mixture(entries: input.kept.count, home: home, weights: logits)
        let tops = (0..<mixture.count).map { entry in
            mixture[entry].reduce(-Float.infinity) { max($0, logits[Int($1)]) }
        }
        for (token, entry) in home.enumerated() where entry >= 0 {
            mixture.weights[token] -= tops[Int(entry)]
        }
        mixture.weights = input.kernels.exponentials(mixture.weights)
        let means = (0..<mixture.count).map { entry in
            let sum = mixture[entry].reduce(0.0) { $0 + Double(mixture.weights[Int($1)]) }
            return Float(sum / Double(mixture[entry].count))
        }
        mixture.normalize()
        let values = DraftRows(mixture, of: input.values)
        if keys == .paper {
            scale(&mixture, logits, masses: zip(tops, input.kernels.logarithms(means)).map(+))
        }
        return HeadDraft(
            positions: input.kept,
            keys: DraftRows(mixture, of: input.keys), values: values,
            mass: votes.allSatisfy { $0 == 1 } ? .ones : .votes(votes), merged: mixture.tokens)
    }

    /// The logit of every token for the mean query.
    private func expectedLogits(_ input: MergeInput) -> [Float] {
        let layer = input.observation.cache.layers[input.layer]
        let queries = layer.queries ?? [], group = queries.count / layer.keys.count
        let count = min(observe, queries.first?.count ?? 0), dim = input.keys.dim
        // The mean and the scale of attention in one factor.
        let factor = Float(1 / (Double(group * count) * Double(dim).squareRoot()))
        let weights = [Float](repeating: factor, count: count)
        var query = [Float](repeating: 0, count: dim)
        for head in input.head * group..<(input.head + 1) * group {
            let last = queries[head].count - count..<queries[head].count
            input.kernels.addWeightedSum(of: queries[head][last], weights: weights, to: &query)
        }
        var logits = [Float](repeating: 0, count: input.tokens)
        input.kernels.dots(
            query, rows: 1, with: input.keys, count: input.tokens, to: &logits, stride: input.tokens
        )
        // What overflows says nothing of its size.
        return logits.map { $0.isFinite ? $0 : 0 }
    }

    /// Scales keys so that an entry's votes times exp(logit) are what its tokens had together: the mean of
    /// its tokens' logits becomes `masses`, the logarithm of their mean exponential.
    ///
    /// Where the two differ in sign or much in size no scale is sensible, and it ends at 1, 1/2 or 2.
    private func scale(_ mixture: inout Mixture, _ logits: [Float], masses: [Float]) {
        for entry in 0..<mixture.count where mixture[entry].count > 1 {
            let mean = mixture[entry].reduce(0.0) {
                $0 + Double(mixture.weights[Int($1)]) * Double(logits[Int($1)])
            }
            let mass = Double(masses[entry])
            let factor = mean * mass > 0 ? Float(min(max(mass / mean, 0.5), 2)) : 1
            for token in mixture[entry] { mixture.weights[Int(token)] *= factor }
        }
    }
}
