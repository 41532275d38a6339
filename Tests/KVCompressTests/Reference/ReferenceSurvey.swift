import Foundation

@testable import KVCompress

/// A survey's numbers in double precision and plain loops.
struct ReferenceSurvey {
    let cache: Cache

    private var tokens: Int { cache.tokens }

    func rows(_ rows: Rows) -> [[Double]] {
        let floats = rows.floats()
        return (0..<rows.count).map { floats[$0 * rows.dim..<($0 + 1) * rows.dim].map(Double.init) }
    }

    func cosine(_ a: [Double], _ b: [Double]) -> Double {
        let size = (dot(a, a) * dot(b, b)).squareRoot()
        return size == 0 ? 0 : dot(a, b) / size
    }

    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// Cosines of all neighbours.
    func neighbours(_ rows: Rows) -> [Double] {
        let rows = self.rows(rows)
        return (0..<tokens - 1).map { cosine(rows[$0], rows[$0 + 1]) }
    }

    /// The length of the run that each token stands in.
    func runLengths(_ cosines: [Double], threshold: Double) -> [Int] {
        (0..<tokens).map { token in
            var first = token, last = token
            while first > 0, cosines[first - 1] > threshold { first -= 1 }
            while last < tokens - 1, cosines[last] > threshold { last += 1 }
            return last - first + 1
        }
    }

    /// The mean cosine of the whole rows of two layers.
    func layers(_ a: [Rows], _ b: [Rows]) -> Double {
        let (x, y) = (a.map(rows), b.map(rows))
        return (0..<tokens).reduce(0.0) { sum, token in
            sum + cosine(x.flatMap { $0[token] }, y.flatMap { $0[token] })
        } / Double(tokens)
    }

    /// Attention of every query of a head, over the tokens that it sees.
    func attention(_ layer: CacheLayer, _ head: Int) -> [[Double]] {
        let keys = rows(layer.keys[head / layer.group!]), queries = rows(layer.queries![head])
        return queries.indices.map { i in
            let logits = (0...tokens - queries.count + i).map {
                dot(keys[$0], queries[i]) / Double(queries[i].count).squareRoot()
            }
            let top = logits.max()!
            let sum = logits.reduce(0) { $0 + exp($1 - top) }
            return logits.map { exp($0 - top) / sum }
        }
    }

    /// Each head's channels' energies before RoPE, pair by pair.
    func energies(_ keys: Rows, theta: Double, dims: Int, interleaved: Bool) -> [Double] {
        var sums = [Double](repeating: 0, count: keys.dim)
        for (position, row) in rows(keys).enumerated() {
            var row = row
            for pair in 0..<dims / 2 {
                let a = interleaved ? 2 * pair : pair, b = interleaved ? a + 1 : pair + dims / 2
                let angle = -Double(position) * pow(theta, -2 * Double(pair) / Double(dims))
                (row[a], row[b]) = (
                    row[a] * cos(angle) - row[b] * sin(angle),
                    row[a] * sin(angle) + row[b] * cos(angle)
                )
            }
            for channel in row.indices { sums[channel] += row[channel] * row[channel] }
        }
        return sums
    }

    /// The fewest directions that hold a share of the energy: the Gram matrix is turned diagonal, pair by pair.
    func rank(_ rows: Rows, share: Double) -> Int {
        let rows = self.rows(rows), dim = rows[0].count
        var gram = [Double](repeating: 0, count: dim * dim)
        for row in rows {
            for i in 0..<dim { for j in 0..<dim { gram[i * dim + j] += row[i] * row[j] } }
        }
        for _ in 0..<12 {
            for i in 0..<dim {
                for j in i + 1..<dim where gram[i * dim + j] != 0 {
                    let angle =
                        0.5 * atan2(2 * gram[i * dim + j], gram[j * dim + j] - gram[i * dim + i])
                    let (c, s) = (cos(angle), sin(angle))
                    for k in 0..<dim {
                        let (x, y) = (gram[k * dim + i], gram[k * dim + j])
                        (gram[k * dim + i], gram[k * dim + j]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<dim {
                        let (x, y) = (gram[i * dim + k], gram[j * dim + k])
                        (gram[i * dim + k], gram[j * dim + k]) = (c * x - s * y, s * x + c * y)
                    }
                }
            }
        }
        let values = (0..<dim).map { gram[$0 * dim + $0] }.sorted(by: >)
        var held = 0.0
        for (count, value) in values.enumerated() {
            if held >= share * values.reduce(0, +) { return count }
            held += value
        }
        return dim
    }
}
