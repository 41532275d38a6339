/// Every dropped value is spread over the kept tokens behind it.
struct CaM: Merger {
    enum Mode: String, CaseIterable { case sample, expected }

    static let identity = MethodIdentity(
        name: "cam",
        summary: "adds dropped values to the next kept ones, by the attention they receive",
        source: "CaM, ICML 2024, section 4",
        differs:
            "a value is divided by the number of tokens that it is spread over, where fewer "
            + "than `spread` follow; mode=expected adds the expectation instead of a sample",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "mode", .words(Mode.self), default: "sample",
                "whether a value is added by chance, or always and as much as is expected"),
            ParameterDescription(
                "seed", .count(0...Int.max), default: "0", "another seed, other chances"),
            ParameterDescription(
                "spread", .count(1...Int.max), default: "32", "kept tokens that share a value"),
        ])

    let mode: Mode
    let seed: Int
    let spread: Int

    init(_ arguments: Arguments) {
        mode = arguments.word("mode")
        seed = arguments.count("seed")
        spread = arguments.count("spread")
    }

    var settings: [String: String] {
        ["mode": mode.rawValue, "seed": "\(seed)", "spread": "\(spread)"]
    }

    func validate(_ plan: Plan) throws(CompressionError) { try requireEviction(plan) }

    func prepare(_ observation: Observation) throws(CompressionError) {
        try prepareReceived(observation)
    }

    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft {
        let kept = input.kept, received = input.received()
        // Sums of what kept tokens receive, so that means over targets are differences.
        let sums = kept.reduce(into: [0.0]) { $0.append($0.last! + Double(received[Int($1)])) }
        var mixture = Mixture(weights: [Float](repeating: 1, count: input.tokens))
        var waiting: [UInt32] = []  // dropped tokens with a share, ascending
        var until: [Int] = []  // the first kept place that is no target of theirs any more
        var token: UInt32 = 0, oldest = 0
        for (place, target) in kept.enumerated() {
            while token < target {
                let targets = place..<place + min(spread, kept.count - place)
                let mean =
                    (sums[targets.upperBound] - sums[targets.lowerBound]) / Double(targets.count)
                let share = share(of: token, Double(received[Int(token)]), mean, input)
                if share > 0 {
                    mixture.weights[Int(token)] = Float(share / Double(targets.count))
                    waiting.append(token)
                    until.append(targets.upperBound)
                }
                token += 1
            }
            token = target + 1
            while oldest < until.count, until[oldest] <= place { oldest += 1 }
            mixture.append(waiting[oldest...] + [target])
        }
        return HeadDraft(
            positions: kept, keys: DraftRows(input.keys, kept),
            values: DraftRows(mixture, of: input.values),
            merged: mixture.tokens)
    }

    /// How much of a dropped value is added: its chance, or 0 or 1 by that chance.
    private func share(
        of token: UInt32, _ received: Double, _ mean: Double, _ input: MergeInput
    ) -> Double {
        let chance = received < mean ? received / mean : received > 0 ? 1 : 0
        guard mode == .sample else { return chance }
        let draw = noise(seed, input.layer, input.head, Int(token)) >> 11
        return Double(draw) * 0x1p-53 < chance ? 1 : 0
    }
}
