import Foundation

extension Reference {
    /// The reductions over query rows of the attention that one key receives.
    struct Observation {
        var sum = 0.0
        var windowSum = 0.0
        var sumSquares = 0.0
        var entropy = 0.0
        /// Rows that are below the threshold for certain, and those that are too near it to tell.
        var below = 0
        var undecided = 0
        var maximum = 0.0
    }

    static func probabilities(_ logits: some Collection<Float>, visible: Int, scale: Double)
        -> [Double]
    {
        let x = logits.prefix(visible).map { Double($0) * scale }
        let maximum = x.max() ?? 0
        let weights = x.map { exp($0 - maximum) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum } + .init(repeating: 0, count: logits.count - visible)
    }

    static func observe(
        _ rows: [[Double]],
        visible: [Int],
        windowStart: Int,
        threshold: Double
    ) -> [Observation] {
        var out = [Observation](repeating: .init(), count: rows.first?.count ?? 0)
        for (r, row) in rows.enumerated() {
            for (t, p) in row.enumerated() {
                out[t].sum += p
                if r >= windowStart { out[t].windowSum += p }
                out[t].sumSquares += p * p
                if p > 0 { out[t].entropy -= p * log(p) }
                out[t].maximum = max(out[t].maximum, p)
                guard t < visible[r] else { continue }
                let limit = threshold / Double(visible[r])
                if abs(p - limit) < 1e-4 * limit {
                    out[t].undecided += 1
                } else if p < limit {
                    out[t].below += 1
                }
            }
        }
        return out
    }
}
