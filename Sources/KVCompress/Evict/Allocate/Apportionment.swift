/// One layer, or one head, among those that share a budget.
struct Claim {
    /// What it is due, in any unit; for each of its heads.
    var weight: Double
    /// Heads that get the same count.
    var heads = 1
}

extension [Claim] {
    /// Tokens per head for every claim: `protected` for each, and what a budget leaves beside them by weight.
    ///
    /// Rounding errors are passed on from claim to claim, and what one cannot take (less than one token, more
    /// than `tokens`) goes to the next ones, then back. The sum over all heads is heads times `budget`; where
    /// claims differ in heads, it may be short of that by less than their number.
    func counts(budget: Int, protected: Int, tokens: Int) -> [Int] {
        precondition((1...tokens).contains(budget) && (0...budget).contains(protected))
        let free = Double((budget - protected) * reduce(0) { $0 + $1.heads })
        let sum = reduce(0) { $0 + $1.weight * Double($1.heads) }
        // What is still owed to those that follow, in tokens of single heads.
        var owed = 0.0
        func settle(_ wanted: Double, heads: Int, rounding: Double) -> Int {
            let whole = Int((wanted + owed / Double(heads) + rounding).rounded(.down))
            let count = Swift.min(Swift.max(whole, 1), tokens)
            owed += (wanted - Double(count)) * Double(heads)
            return count
        }
        var counts = map { claim in
            let share = sum > 0 ? free * claim.weight / sum : Double(budget - protected)
            return settle(Double(protected) + share, heads: claim.heads, rounding: 0.5)
        }
        // Rounded down, so that nothing is overspent, but for what lies in the last bits of the sums.
        for index in indices.reversed() {
            counts[index] = settle(Double(counts[index]), heads: self[index].heads, rounding: 1e-6)
        }
        return counts
    }
}

extension [LayerSelector] {
    /// Counts by the weights of layers: protected tokens in each, and the rest in proportion.
    func counts(_ budget: Int, by weights: [Double]) -> [[Int]] {
        let claims = zip(self, weights).map { Claim(weight: $1, heads: $0.kvHeads) }
        let counts = claims.counts(
            budget: budget,
            protected: self[0].protection(budget).count,
            tokens: self[0].scores.tokens
        )
        return zip(self, counts).map { [Int](repeating: $1, count: $0.kvHeads) }
    }
}
