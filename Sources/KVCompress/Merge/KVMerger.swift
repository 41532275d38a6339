/// Runs of neighbouring tokens with similar keys become one entry each.
struct KVMerger: Merger {
    /// Which neighbours are linked.
    enum Extent: Hashable {
        case threshold(Double), budget(Budget)
    }
    enum Values: String, CaseIterable { case votes, paper }
    enum Weights: String, CaseIterable { case gaussian, uniform }

    private static let standardThreshold = 0.75

    static let identity = MethodIdentity(
        name: "kvmerger",
        summary: "merges runs of neighbouring tokens whose keys point the same way",
        source: "KVMerger, arXiv 2407.08454, sections 3 and 4",
        differs:
            "sigma is defined in a circle in the paper; automatic is sqrt(mean squared "
            + "distance to the pivot / 2) of each set. A merged entry carries ln(votes) in "
            + "its logit; values=paper multiplies values instead, which leaves the softmax's "
            + "denominator short. budget= meets a budget exactly where a threshold cannot",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "threshold", .number(-1...1), default: nil,
                "cosine of neighbouring keys above which they are linked; default: 0.75 without a budget"
            ),
            ParameterDescription(
                "budget", .budget, default: nil,
                "entries of every head after merging: the neighbours of highest cosine are linked, instead of a threshold"
            ),
            ParameterDescription(
                "recent", .amount, default: "17%", "newest tokens, which stay as they are"),
            ParameterDescription(
                "heavy", .amount, default: "12%",
                "tokens that receive most attention, which stay as they are"),
            ParameterDescription(
                "sinks", .count(0...Int.max), default: "4", "first tokens, which stay as they are"),
            ParameterDescription(
                "sigma", .word("automatic", or: .number(1e-6...1e6)), default: "automatic",
                "width of the Gaussian in key units; automatic: from each run's mean squared distance to its pivot"
            ),
            ParameterDescription(
                "values", .words(Values.self), default: "votes",
                "a run's mean value with its length as votes, or the paper's mean times the length"),
            ParameterDescription(
                "weights", .words(Weights.self), default: "gaussian",
                "by distance to the pivot's key, or all equal"),
        ])

    private(set) var extent: Extent
    let recent: Amount
    let heavy: Amount
    let sinks: Int
    /// The Gaussian's width; nil: from the run's distances.
    let sigma: Double?
    let values: Values
    let weights: Weights

    init(_ arguments: Arguments) throws(CompressionError) {
        switch (arguments["threshold"], arguments["budget"]) {
        case (.number(let threshold), nil): extent = .threshold(threshold)
        case (nil, .budget(.bytes(let bytes))):
            throw CompressionError(
                .plan,
                "kvmerger: budget=\(Budget.bytes(bytes)) is not valid; expected 50% of the tokens or 512 entries per head"
            )
        case (nil, .budget(let budget)): extent = .budget(budget)
        case (nil, nil): extent = .threshold(Self.standardThreshold)
        default:
            throw CompressionError(
                .plan, "kvmerger: 'threshold' and 'budget' exclude each other; expected one of them"
            )
        }
        recent = arguments.amount("recent")!
        heavy = arguments.amount("heavy")!
        sinks = arguments.count("sinks")
        if case .number(let width)? = arguments["sigma"] { sigma = width } else { sigma = nil }
        values = arguments.word("values")
        weights = arguments.word("weights")
    }

    var settings: [String: String] {
        var texts = [
            "recent": "\(recent)", "heavy": "\(heavy)", "sinks": "\(sinks)",
            "sigma": sigma.map(decimalText) ?? "automatic", "values": values.rawValue,
            "weights": weights.rawValue,
        ]
        switch extent {
        case .threshold(Self.standardThreshold): break
        case .threshold(let threshold): texts["threshold"] = decimalText(threshold)
        case .budget(let budget): texts["budget"] = "\(budget)"
        }
        return texts
    }

    static var mergesAgain: Bool { true }

    func ofPast(_ tokens: Int) -> KVMerger {
        guard case .budget(let budget) = extent else { return self }
        var same = self
        same.extent = .budget(.tokens(entries(budget, of: tokens)))
        return same
    }

    func prepare(_ observation: Observation) throws(CompressionError) {
        try prepareReceived(observation)
    }

    func merge(_ input: MergeInput, remarks: inout [String]) -> HeadDraft {
        let received = input.received()
        let free = mergeable(input, received)
        let keys = input.allocator.buffer(Float.self, free.count * input.keys.dim)
        DraftRows(input.keys, free).write(
            free.indices, to: keys.pointer, kernels: input.kernels)
        let neighbours = Neighbours(free, keys: keys, dim: input.keys.dim, kernels: input.kernels)
        let runs = neighbours.runs(links(neighbours, input, &remarks))
        guard runs.count < free.count else {
            return input.keeping()
        }
        let pivots = runs.map { run in
            run.reduce(run.lowerBound) {
                received[Int(free[$1])] > received[Int(free[$0])] ? $1 : $0
            }
        }
        return draft(
            input, free: free, runs: runs, pivots: pivots,
            weights: weights(of: runs, pivots, keys: keys, input))
    }

    /// The kept tokens that are neither sinks nor recent nor heavy.
    private func mergeable(_ input: MergeInput, _ received: [Float]) -> [UInt32] {
        let tokens = input.tokens
        let first = min(sinks, tokens), end = tokens - min(recent.of(tokens), tokens)
        let rest = input.kept.filter { $0 >= first && $0 < end }
        return rest.without(Ranking.first(heavy.of(tokens), of: rest, by: received))
    }

    /// The neighbours to link: those above the threshold, or as many as the budget asks for.
    private func links(
        _ neighbours: Neighbours, _ input: MergeInput, _ remarks: inout [String]
    ) -> [UInt32] {
        switch extent {
        case .threshold(let threshold):
            return neighbours.pairs.filter { Double(neighbours.cosines[Int($0)]) > threshold }
        case .budget(let budget):
            let wanted = input.kept.count - entries(budget, of: input.tokens)
            if neighbours.pairs.count < wanted {
                remarks.append(
                    "kvmerger: budget=\(budget) asks for more than can be merged in some heads; they merge all that is neither protected nor apart"
                )
            }
            return Ranking.first(max(0, wanted), of: neighbours.pairs, by: neighbours.cosines)
        }
    }

    private func entries(_ budget: Budget, of tokens: Int) -> Int {
        switch budget {
        case .share(let share): max(1, share.of(tokens))
        case .tokens(let entries): entries
        case .bytes: preconditionFailure("refused by the initializer")
        }
    }

    /// What every mergeable token weighs against the others of its run.
    private func weights(
        of runs: [Range<Int>], _ pivots: [Int], keys: Buffer<Float>, _ input: MergeInput
    ) -> [Float] {
        let dim = input.keys.dim
        var exponents = [Float](repeating: 0, count: runs.last?.upperBound ?? 0)
        for (run, pivot) in zip(runs, pivots) where run.count > 1 && weights == .gaussian {
            exponents.withUnsafeMutableBufferPointer { squares in
                input.kernels.squaredDistances(
                    keys.pointer + run.lowerBound * dim, count: run.count, dim: dim,
                    to: keys.pointer + pivot * dim, into: squares.baseAddress! + run.lowerBound)
            }
            let doubleVariance = doubleVariance(exponents[run])
            for member in run {
                // Without a width all keys are the same, and weigh the same.
                exponents[member] =
                    doubleVariance > 0 ? -Float(Double(exponents[member]) / doubleVariance) : 0
            }
        }
        return input.kernels.exponentials(exponents)
    }

    /// 2 sigma^2: given, or the mean squared distance of a run's other members to the pivot.
    private func doubleVariance(_ squares: ArraySlice<Float>) -> Double {
        if let sigma { return 2 * sigma * sigma }
        return squares.reduce(0.0) { $0 + Double($1) } / Double(squares.count - 1)
    }

    private func draft(
        _ input: MergeInput, free: [UInt32], runs: [Range<Int>], pivots: [Int], weights: [Float]
    ) -> HeadDraft {
        let mass = input.mass
        var home = [Int32](repeating: -1, count: input.tokens)
        var positions: [UInt32] = [], lengths: [UInt32] = []
        var run = 0
        for token in input.kept {
            if run < runs.count, token == free[runs[run].lowerBound] {
                for member in runs[run] { home[Int(free[member])] = Int32(positions.count) }
                positions.append(free[pivots[run]])
                let votes = runs[run].reduce(0) { $0 + Int(mass.votes(Int(free[$1]))) }
                lengths.append(UInt32(min(votes, EntryVector.mostVotes)))
                run += 1
            } else if home[Int(token)] < 0 {
                home[Int(token)] = Int32(positions.count)
                positions.append(token)
                lengths.append(mass.votes(Int(token)))
            }
        }
        var byToken = [Float](repeating: 1, count: input.tokens)
        for (member, token) in free.enumerated() {
            byToken[Int(token)] = weights[member] * Float(mass.votes(Int(token)))
        }
        var mixture = Mixture(entries: positions.count, home: home, weights: byToken)
        mixture.normalize()
        let keys = mixture.rows(of: input.keys, input.kernels, input.allocator)
        if values == .paper {
            for run in runs {
                for member in run { mixture.weights[Int(free[member])] *= Float(run.count) }
            }
        }
        return HeadDraft(
            positions: positions, keys: keys,
            values: mixture.rows(of: input.values, input.kernels, input.allocator),
            mass: values == .votes ? .votes(lengths) : .ones, merged: mixture.tokens)
    }
}
