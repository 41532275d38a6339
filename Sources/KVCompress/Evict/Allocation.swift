/// How the budget is spread over layers and heads; what is spent in all never changes.
public enum Allocation: String, Hashable, Sendable, CaseIterable {
    /// The same everywhere.
    case uniform
    /// The protected tokens in every layer, and the rest of the budget falling linearly from 39/20 of its mean
    /// in the first layer to 1/20 in the last (PyramidKV, arXiv 2406.02069, section 4, beta = 20).
    case pyramid
    /// The same for every layer, inside it by the scores of all heads together, each head keeping at least a
    /// fifth of the mean (Ada-KV, arXiv 2407.11550, alpha = 0.2).
    case adaptive

    /// Tokens per head for every layer, `budget` on average, each from 1 to `tokens`, of which `protected` are
    /// not for the scores to choose.
    func budgets(_ budget: Int, protected: Int, layers: Int, tokens: Int) -> [Int] {
        precondition((1...tokens).contains(budget) && (0...budget).contains(protected))
        guard self == .pyramid, layers > 1 else { return [Int](repeating: budget, count: layers) }
        // Rounding the running totals, not the layers, conserves the sum.
        let ideal = (0..<layers).map {
            protected + Self.total($0 + 1, budget - protected, layers)
                - Self.total($0, budget - protected, layers)
        }
        return Self.clamp(ideal, to: 1...tokens)
    }

    /// The first `count` layers' share of the pyramid, rounded: budget / 20 times
    /// 39 count - 19 count (count - 1) / (layers - 1).
    private static func total(_ count: Int, _ budget: Int, _ layers: Int) -> Int {
        let numerator = budget * count * (39 * (layers - 1) - 19 * (count - 1))
        let denominator = 20 * (layers - 1)
        return (2 * numerator + denominator) / (2 * denominator)
    }

    /// Counts within a range and of the same sum: what a layer cannot take goes to the next ones, then back.
    private static func clamp(_ ideal: [Int], to range: ClosedRange<Int>) -> [Int] {
        var counts = ideal
        var carry = 0
        for layer in Array(counts.indices) + counts.indices.reversed() {
            let wanted = counts[layer] + carry
            counts[layer] = min(max(wanted, range.lowerBound), range.upperBound)
            carry = wanted - counts[layer]
        }
        return counts
    }
}

/// Whether the heads of a layer keep tokens of their own.
public enum TokenSets: String, Hashable, Sendable, CaseIterable {
    /// Every kv head its own.
    case head
    /// One set for all heads, by their mean score.
    case layer
}
