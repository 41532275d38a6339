/// Searches the plans that suit one cache.
///
/// For every way of keeping fewer entries, fitted and not, a path begins at f16 and takes, again and again, the
/// step (fewer entries, fewer bits of keys, fewer bits of values) that costs the least error per byte
/// saved, as measured, in the manner of KVTuner (arXiv 2502.04420) and XKV (arXiv 2412.05896). The best
/// plan found for the goal is then improved part by part. Nothing is left to chance: the same cache
/// gives the same answer.
public struct Tuning: Sendable {
    /// What the best plan is best at.
    public enum Goal: Sendable, Hashable {
        /// The least error at this ratio against f16 or a higher one.
        case ratio(Double)
        /// The highest ratio at this error or a lower one.
        case error(Double)
    }

    /// The error of each layer when only one thing is done to the cache.
    public struct Sensitivity: Sendable, Codable {
        /// What was done.
        public var plan: Plan
        /// Mean error of each layer's query heads.
        public var layerErrors: [Double]
    }

    /// All plans that were tried, smallest ratio first.
    public let outcomes: [Comparison.Outcome]
    /// The plans that no other beats in both ratio and error, smallest ratio first.
    public let front: [Comparison.Outcome]
    /// The best plan for the goal; nil when none reaches it.
    public let winner: Comparison.Outcome?
    /// What keys in 4 bits, values in 4 bits and half of the tokens cost, each alone.
    public let sensitivities: [Sensitivity]

    /// Searches plans for a goal.
    ///
    /// Takes some hundred compressions of every comparison's prefix.
    /// - Parameters:
    ///   - comparisons: at least one, such as `Comparison.spread` makes; a plan's error is the mean of theirs,
    ///     its bytes and ratio are those of the last one.
    ///   - goal: what the winner is best at.
    ///   - progress: is told how many plans are measured.
    /// - Throws: `CompressionError` when the cache suits no plan, as when a number is too large to store.
    public init(
        _ comparisons: [Comparison], goal: Goal, progress: (Int) -> Void = { _ in }
    ) throws(CompressionError) {
        precondition(!comparisons.isEmpty, "a search needs something to judge by")
        var search = Search(comparisons: comparisons, goal: goal)
        var sensitivities: [Sensitivity] = []
        for text in ["kv(keys=q4)", "kv(values=q4)", "rms(budget=50%)"] {
            let outcome = try search.measured(Plan(text))
            sensitivities.append(
                Sensitivity(plan: outcome.plan, layerErrors: outcome.layerErrors))
        }
        for reduction in Candidate.reductions {
            for isFitted in [false, true] {
                try search.path(
                    from: Candidate(reduction: reduction, isFitted: isFitted), progress)
            }
        }
        let best = try search.improved(progress)
        self.sensitivities = sensitivities
        winner = best
        outcomes = search.outcomes
        front = search.front
    }
}

/// The state of a search: what has been measured so far.
private struct Search {
    let comparisons: [Comparison]
    let goal: Tuning.Goal
    private var known: [String: Comparison.Outcome] = [:]
    private var candidates: [String: Candidate] = [:]

    init(comparisons: [Comparison], goal: Tuning.Goal) {
        self.comparisons = comparisons
        self.goal = goal
    }

    /// A plan's bytes in the last comparison, and its errors' mean over all of them.
    func measured(_ plan: Plan) throws(CompressionError) -> Comparison.Outcome {
        var outcomes: [Comparison.Outcome] = []
        for comparison in comparisons { outcomes.append(try comparison.outcome(of: plan)) }
        var mean = outcomes[outcomes.count - 1]
        let count = Double(outcomes.count)
        mean.error = outcomes.reduce(0) { $0 + $1.error } / count
        for layer in mean.layerErrors.indices {
            mean.layerErrors[layer] = outcomes.reduce(0) { $0 + $1.layerErrors[layer] } / count
        }
        return mean
    }

    /// Everything measured, by ratio; equals by error and text.
    var outcomes: [Comparison.Outcome] {
        known.values.sorted {
            ($0.ratio, $0.error, $0.plan.description) < ($1.ratio, $1.error, $1.plan.description)
        }
    }

    var front: [Comparison.Outcome] {
        var least = Double.infinity
        var front: [Comparison.Outcome] = []
        for outcome in outcomes.reversed() where outcome.error < least {
            least = outcome.error
            // Of equal ratios the smaller error comes later.
            if front.last?.ratio == outcome.ratio { front.removeLast() }
            front.append(outcome)
        }
        return front.reversed()
    }

    private mutating func outcome(
        of candidate: Candidate, _ progress: (Int) -> Void
    ) throws(CompressionError) -> Comparison.Outcome {
        let plan = try Plan(candidate.text), text = plan.description
        if let outcome = known[text] { return outcome }
        let outcome = try measured(plan)
        known[text] = outcome
        candidates[text] = candidate
        progress(known.count)
        return outcome
    }

    /// Where a path need not go any further.
    private func isFar(_ outcome: Comparison.Outcome) -> Bool {
        switch goal {
        case .ratio(let ratio): outcome.ratio > 1.5 * ratio
        case .error(let error): outcome.error > 3 * error
        }
    }

    /// Makes a candidate smaller by the cheapest step, until it is far beyond the goal.
    mutating func path(
        from start: Candidate, _ progress: (Int) -> Void
    ) throws(CompressionError) {
        var candidate = start
        var here = try outcome(of: candidate, progress)
        while !isFar(here) {
            var best: (cost: Double, candidate: Candidate, outcome: Comparison.Outcome)?
            for step in candidate.smaller {
                let there = try outcome(of: step, progress)
                let saved = here.storedBytes - there.storedBytes
                guard saved > 0 else { continue }
                let cost = (there.error - here.error) / Double(saved)
                if cost < best?.cost ?? .infinity { best = (cost, step, there) }
            }
            guard let best else { return }
            (candidate, here) = (best.candidate, best.outcome)
        }
    }

    /// Whether one outcome suits the goal better than another one.
    private func prefers(_ a: Comparison.Outcome, to b: Comparison.Outcome?) -> Bool {
        switch goal {
        case .ratio(let ratio):
            guard a.ratio >= ratio else { return false }
            return b.map { a.error < $0.error } ?? true
        case .error(let error):
            guard a.error <= error else { return false }
            return b.map { a.ratio > $0.ratio } ?? true
        }
    }

    private var best: Comparison.Outcome? {
        var best: Comparison.Outcome?
        for outcome in outcomes where prefers(outcome, to: best) { best = outcome }
        return best
    }

    /// The best outcome, after changing its parts one by one for as long as that helps.
    mutating func improved(_ progress: (Int) -> Void) throws(CompressionError) -> Comparison
        .Outcome?
    {
        while let winner = best, let candidate = candidates[winner.plan.description] {
            for neighbour in candidate.neighbours { try adjust(neighbour, progress) }
            if best?.plan == winner.plan { return winner }
        }
        return best
    }

    /// Gives a candidate the share at which it just reaches the goal.
    private mutating func adjust(
        _ candidate: Candidate, _ progress: (Int) -> Void
    ) throws(CompressionError) {
        let asItIs = try outcome(of: candidate, progress)
        guard candidate.reduction != .none else { return }
        func reaches(_ outcome: Comparison.Outcome) -> Bool {
            switch goal {
            case .ratio(let ratio): outcome.ratio >= ratio
            case .error(let error): outcome.error > error
            }
        }
        // Shares above `low` are too large for a ratio, or small enough for an error.
        var low = reaches(asItIs) ? candidate.share : 10
        var high = reaches(asItIs) ? 1000 : candidate.share
        var guess = guess(from: asItIs, share: candidate.share)
        var round = 0
        while high - low > 5 {
            round += 1
            // Guesses are soon near, halves are always done soon.
            let share =
                if round < 5, let guess { min(max(guess, low + 3), high - 3) } else {
                    (low + high) / 2
                }
            let there = try outcome(of: candidate.with { $0.share = share }, progress)
            if reaches(there) { low = share } else { high = share }
            guess = self.guess(from: there, share: share)
        }
    }

    /// The share at which a plan has the ratio that is wanted, as bytes are nearly proportional to it.
    private func guess(from outcome: Comparison.Outcome, share: Int) -> Int? {
        guard case .ratio(let ratio) = goal else { return nil }
        return Int(Double(share) * min(outcome.ratio / ratio, 1000 / Double(share)))
    }
}
