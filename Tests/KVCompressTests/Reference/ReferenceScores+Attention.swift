import Foundation

@testable import KVCompress

/// Scorers that look at attention, or at what would become of it.
extension ReferenceScores {
    func rkv(_ head: Int, observe: Int, width: Int, importance: Double, similar: Double) -> [Double]
    {
        let attention = snapkv(head, observe: observe, width: width) { $0.max()! }
        let keys = source.keys[layer][head / source.group]
        func cosine(_ a: Int, _ b: Int) -> Double {
            dot(keys[a], keys[b]) / (dot(keys[a], keys[a]) * dot(keys[b], keys[b])).squareRoot()
        }
        var sums = [Double](repeating: 0, count: tokens)
        for token in 0..<tokens {
            let alike = (0..<tokens).filter { $0 != token && cosine(token, $0) >= similar }
            for other in alike.dropLast() { sums[other] += cosine(token, other) }
        }
        let redundancy = softmax(sums.map { $0 / Double(tokens) })
        return (0..<tokens).map {
            importance * attention[$0] - (1 - importance) * redundancy[$0]
        }
    }

    func scissorhands(_ head: Int, history: Int, mean: Bool) -> [Double] {
        let below = attention(head).enumerated().map { index, row in
            let visible = tokens - source.queries[layer][head].count + index + 1
            return row.enumerated().map { $0 < visible && $1 < 1 / Double(visible) ? 1.0 : 0 }
        }
        return added(below.suffix(history), mean: mean).map { -$0 }
    }

    func keyformer(_ head: Int, temperature: Double, seed: Int, mean: Bool) -> [Double] {
        let keys = source.keys[layer][head / source.group], queries = source.queries[layer][head]
        let gumbel = (0..<tokens).map { token in
            let uniform = (Double(noise(seed, layer, head, token) >> 12) + 0.5) / pow(2, 52)
            return -log(-log(uniform))
        }
        let rows = queries.enumerated().map { index, query in
            let visible = tokens - queries.count + index + 1
            let heat =
                1 + (temperature - 1) * Double(index) / Double(max(queries.count - 1, 1))
            let logits = (0..<visible).map {
                (dot(keys[$0], query) / Double(query.count).squareRoot() + gumbel[$0]) / heat
            }
            return softmax(logits) + [Double](repeating: 0, count: tokens - visible)
        }
        return added(rows, mean: mean)
    }

    func expectedAttention(_ head: Int, observe: Int, epsilon: Double) -> [Double] {
        let queries = source.queries[layer][head].suffix(observe).map { $0.map(Double.init) }
        let dim = queries[0].count, count = Double(queries.count)
        let mean = (0..<dim).map { c in queries.reduce(0) { $0 + $1[c] } / count }
        let covariance = (0..<dim).map { a in
            (0..<dim).map { b in
                queries.reduce(0) { $0 + ($1[a] - mean[a]) * ($1[b] - mean[b]) } / count
            }
        }
        let z = source.keys[layer][head / source.group].map { key in
            let key = key.map(Double.init)
            var first = 0.0, second = 0.0
            for a in 0..<dim {
                first += key[a] * mean[a]
                for b in 0..<dim { second += key[a] * covariance[a][b] * key[b] }
            }
            return first / Double(dim).squareRoot() + second / Double(2 * dim)
        }
        let values = source.values[layer][head / source.group]
        return zip(softmax(z), values).map { ($0 + epsilon) * dot($1, $1).squareRoot() }
    }

    func softmax(_ logits: [Double]) -> [Double] {
        let top = logits.max()!
        let weights = logits.map { exp($0 - top) }, sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
