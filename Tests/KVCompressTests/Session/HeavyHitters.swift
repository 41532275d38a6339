import Foundation

@testable import KVCompress

/// H2O in a session by its definition: every `interval` tokens the queries since pay attention to the
/// entries that are there, and of these the sinks, the newest half and the heaviest stay.
func heavyHitters(_ cache: Cache, budget: Int, interval: Int) -> [[Int]] {
    let layer = cache.layers[0], group = layer.group!
    return layer.keys.indices.map { head in
        let keys = layer.keys[head], queries = layer.queries!
        var kept: [Int] = []
        var received = [Double](repeating: 0, count: cache.tokens)
        for end in stride(from: interval, through: cache.tokens - 1, by: interval) {
            let entries = kept + Array(end - interval..<end)
            for token in end - interval..<end {
                for member in 0..<group {
                    let query = queries[head * group + member].row(token)
                    let seen = entries.filter { $0 <= token }
                    let weights = seen.map { entry in
                        let key = keys.row(entry)
                        let dot = zip(query, key).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                        return exp(dot / Double(keys.dim).squareRoot())
                    }
                    let sum = weights.reduce(0, +)
                    for (entry, weight) in zip(seen, weights) {
                        received[entry] += weight / sum / Double(group)
                    }
                }
            }
            guard entries.count > budget else {
                kept = entries
                continue
            }
            let recent = budget / 2
            let rest = entries.dropFirst(4).dropLast(recent)
            let best = rest.sorted { a, b in
                let x = received[a] / Double(end - a), y = received[b] / Double(end - b)
                return x == y ? a < b : x > y
            }.prefix(budget - recent - 4)
            kept = Array(entries.prefix(4)) + best.sorted() + Array(entries.suffix(recent))
        }
        return kept
    }
}
