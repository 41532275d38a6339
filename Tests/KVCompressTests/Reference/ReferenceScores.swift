import Foundation

@testable import KVCompress

/// The scorers in double precision and plain loops, per query head (attention) or kv head (keys).
struct ReferenceScores {
    let source: SeededCache
    let layer: Int

    var tokens: Int { source.cache.tokens }

    /// Attention probabilities of one query head, queries x tokens.
    func attention(_ head: Int) -> [[Double]] {
        let keys = source.keys[layer][head / source.group], queries = source.queries[layer][head]
        return queries.indices.map { i in
            let visible = tokens - queries.count + i + 1
            let logits = keys[0..<visible].map {
                dot($0, queries[i]) / Double(queries[i].count).squareRoot()
            }
            let top = logits.max()!
            let weights = logits.map { exp($0 - top) }
            let sum = weights.reduce(0, +)
            return weights.map { $0 / sum } + [Double](repeating: 0, count: tokens - visible)
        }
    }

    func h2o(_ head: Int, mean: Bool) -> [Double] {
        added(attention(head), mean: mean)
    }

    /// Columns of queries x tokens added up, divided by the queries that could see the token if `mean`.
    func added(_ rows: [[Double]], mean: Bool) -> [Double] {
        (0..<tokens).map { token in
            let sum = rows.reduce(0) { $0 + $1[token] }
            let seenBy = rows.indices.filter { tokens - rows.count + $0 >= token }.count
            return mean ? sum / Double(seenBy) : sum
        }
    }

    /// `pool`: the pooled value of a neighbourhood.
    func snapkv(_ head: Int, observe: Int, width: Int, pool: ([Double]) -> Double) -> [Double] {
        let window = attention(head).suffix(observe)
        let means = (0..<tokens).map { token in
            window.reduce(0) { $0 + $1[token] } / Double(window.count)
        }
        let split = tokens - window.count
        return (0..<tokens).map { token in
            let side = token < split ? 0..<split : split..<tokens
            let near = (token - width / 2...token - width / 2 + width - 1).filter(side.contains)
            return pool(near.map { means[$0] })
        }
    }

    func tova(_ head: Int) -> [Double] { attention(head).last! }

    func knorm(_ head: Int) -> [Double] {
        source.keys[layer][head].map { -dot($0, $0).squareRoot() }
    }

    func keydiff(_ head: Int) -> [Double] {
        let keys = source.keys[layer][head]
        var mean = [Double](repeating: 0, count: keys[0].count)
        for key in keys {
            for c in key.indices {
                mean[c] += Double(key[c]) / dot(key, key).squareRoot() / Double(keys.count)
            }
        }
        let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return keys.map { key in
            let product = key.indices.reduce(0) { $0 + Double(key[$1]) * mean[$1] }
            return -product / dot(key, key).squareRoot() / length
        }
    }

    func lagkv(_ head: Int, lag: Int) -> [Double] {
        let scored = max(0, tokens / lag - 1) * lag
        var scores = (0..<tokens).map { 1 + Double($0) / Double(tokens) }
        func spread(_ row: [Float], next: ArraySlice<[Float]>) -> Double {
            let channels = row.indices.map { c -> Double in
                let column = next.map { Double($0[c]) }, low = column.min()!, high = column.max()!
                return high > low ? (Double(row[c]) - low) / (high - low) : 0
            }
            let mean = channels.reduce(0, +) / Double(channels.count)
            let sum = channels.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return channels.count > 1 ? (sum / Double(channels.count - 1)).squareRoot() : 0
        }
        for start in stride(from: 0, to: scored, by: lag) {
            let shares = [source.keys[layer][head], source.values[layer][head]].map { rows in
                softmax(
                    (start..<start + lag).map {
                        spread(rows[$0], next: rows[start + lag..<start + 2 * lag])
                    }
                )
            }
            let sums = (0..<lag).map { shares[0][$0] + shares[1][$0] }
            for token in 0..<lag {
                let worse = (0..<lag).filter {
                    sums[$0] < sums[token] || (sums[$0] == sums[token] && $0 > token)
                }
                scores[start + token] = Double(worse.count) / Double(lag)
            }
        }
        return scores
    }

    func dot(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
}
