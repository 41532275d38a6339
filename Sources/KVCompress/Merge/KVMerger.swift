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
        let neighbours = Neighbours(free, of: input.keys, kernels: input.kernels)
        let runs = neighbours.runs(links(neighbours, input, &remarks))
        guard !runs.isEmpty else { return input.keeping() }
        let pivots = runs.map { run in
            run.reduce(run.lowerBound) {
                received[Int(free[$1])] > received[Int(free[$0])] ? $1 : $0
            }
        }
        return draft(
            input, free: free, runs: runs, pivots: pivots,
            weights: weights(of: runs, pivots, free, input))
    }

    /// The kept tokens that are neither sinks nor recent nor heavy.
    private func mergeable(_ input: MergeInput, _ received: [Float]) -> [UInt32] {
        let tokens = input.tokens
        let first = min(sinks, tokens), end = tokens - min(recent.of(tokens), tokens)
        let start = input.kept.firstPlace(from: first)
        let rest = Array(input.kept[start..<max(start, input.kept.firstPlace(from: end))])
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

    /// What the tokens of every run weigh against each other, run after run.
    private func weights(
        of runs: [Range<Int>], _ pivots: [Int], _ free: [UInt32], _ input: MergeInput
    ) -> [Float] {
        let dim = input.keys.dim, total = runs.reduce(0) { $0 + $1.count }
        guard weights == .gaussian else { return [Float](repeating: 1, count: total) }
        let exponents = [Float](unsafeUninitializedCapacity: total) { squares, initialized in
            var members = squares.baseAddress!
            withUnsafeTemporaryAllocation(of: Float.self, capacity: (Self.chunk + 1) * dim) {
                rows in
                let pivotKey = rows.baseAddress!, others = pivotKey + dim
                for (run, pivot) in zip(runs, pivots) {
                    // A run's tokens are neighbours in the cache.
                    let start = Int(free[run.lowerBound]), shift = pivot - run.lowerBound
                    var key = others + shift * dim
                    if run.count > Self.chunk {
                        input.kernels.convert(
                            input.keys, rows: start + shift..<start + shift + 1, to: pivotKey)
                        key = pivotKey
                    }
                    for first in stride(from: 0, to: run.count, by: Self.chunk) {
                        let count = min(Self.chunk, run.count - first)
                        input.kernels.convert(
                            input.keys, rows: start + first..<start + first + count, to: others)
                        input.kernels.squaredDistances(
                            others, count: count, dim: dim, to: key, into: members + first)
                    }
                    let run = UnsafeMutableBufferPointer(start: members, count: run.count)
                    let doubleVariance = doubleVariance(run)
                    for member in run.indices {
                        // Without a width all keys are the same, and weigh the same.
                        run[member] =
                            doubleVariance > 0 ? -Float(Double(run[member]) / doubleVariance) : 0
                    }
                    members += run.count
                }
            }
            initialized = total
        }
        return input.kernels.exponentials(exponents)
    }

    /// Keys whose distances are taken at a time.
    private static let chunk = 32

    /// 2 sigma^2: given, or the mean squared distance of a run's other members to the pivot.
    private func doubleVariance(_ squares: UnsafeMutableBufferPointer<Float>) -> Double {
        if let sigma { return 2 * sigma * sigma }
        return squares.reduce(0.0) { $0 + Double($1) } / Double(squares.count - 1)
    }

    /// Entries in the order of the kept tokens: runs, and what is in none.
    private func draft(
        _ input: MergeInput, free: [UInt32], runs: [Range<Int>], pivots: [Int], weights: [Float]
    ) -> HeadDraft {
        let mass = input.mass, kept = input.kept, isPlain = mass == .ones
        func counted(_ token: Int) -> UInt32 { isPlain ? 1 : mass.votes(token) }
        var byToken = [Float](repeating: 1, count: input.tokens)
        var scaled = values == .paper ? byToken : []
        let entries = kept.count - weights.count + runs.count
        var positions: [UInt32] = [], votes: [UInt32] = [], ends: [Int] = []
        positions.reserveCapacity(entries)
        votes.reserveCapacity(entries)
        ends.reserveCapacity(entries)
        var place = 0
        func keep(before end: Int) {
            while place < end {
                positions.append(kept[place])
                votes.append(counted(Int(kept[place])))
                place += 1
                ends.append(place)
            }
        }
        var member = 0
        for (run, pivot) in zip(runs, pivots) {
            let tokens = Int(free[run.lowerBound])..<Int(free[run.upperBound - 1]) + 1
            let weights = weights[member..<member + run.count]
            member += run.count
            var sum = 0.0, count = 0
            for (token, weight) in zip(tokens, weights) {
                let votes = counted(token)
                byToken[token] = weight * Float(votes)
                sum += Double(byToken[token])
                count += Int(votes)
            }
            for token in tokens { byToken[token] = Float(Double(byToken[token]) / sum) }
            if values == .paper {
                for token in tokens { scaled[token] = byToken[token] * Float(run.count) }
            }
            keep(before: kept.firstPlace(from: tokens.lowerBound, after: place))
            positions.append(free[pivot])
            votes.append(UInt32(min(count, EntryVector.mostVotes)))
            place += run.count
            ends.append(place)
        }
        keep(before: kept.count)
        let mixture = Mixture(tokens: kept, ends: ends, weights: byToken)
        let valued =
            values == .paper ? Mixture(tokens: kept, ends: ends, weights: scaled) : mixture
        return HeadDraft(
            positions: positions, keys: DraftRows(mixture, of: input.keys),
            values: DraftRows(valued, of: input.values),
            mass: values == .votes ? .votes(votes) : .ones, merged: kept)
    }
}

extension [UInt32] {
    /// The place of the first of these ascending numbers that is not below another one.
    fileprivate func firstPlace(from number: Int, after start: Int = 0) -> Int {
        // What is searched for is near the start, or far from it.
        var low = start, step = 1
        while low + step <= count, Int(self[low + step - 1]) < number {
            low += step
            step *= 2
        }
        var high = Swift.min(low + step, count)
        while low < high {
            let middle = (low + high) / 2
            if Int(self[middle]) < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
