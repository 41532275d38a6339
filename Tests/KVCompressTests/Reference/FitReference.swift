import Foundation

@testable import KVCompress

/// Attention Matching for one kv head in double precision and plain loops, from the paper's steps.
struct FitReference {
    /// Reference queries and where they stand.
    var queries: [[Double]] = []
    var positions: [Int] = []
    /// Of the full cache, per query: the largest logit, the sum of exp(logit - largest), the output.
    var largest: [Double] = []
    var sums: [Double] = []
    var outputs: [[Double]] = []
    let keyDim: Int

    init(_ cache: Cache, layer index: Int, head: Int) {
        let layer = cache.layers[index]
        let group = layer.queries!.count / layer.keys.count
        keyDim = layer.keys[0].dim
        let keys = (0..<cache.tokens).map { layer.keys[head].row($0).map(Double.init) }
        let values = (0..<cache.tokens).map { layer.values[head].row($0).map(Double.init) }
        for member in 0..<group {
            let rows = layer.queries![head * group + member]
            for row in 0..<rows.count {
                let query = rows.row(row).map(Double.init)
                let position = cache.tokens - rows.count + row
                let logits = (0...position).map { dot(query, keys[$0]) }
                let top = logits.max()!
                let weights = logits.map { exp($0 - top) }
                let sum = weights.reduce(0, +)
                queries.append(query)
                positions.append(position)
                largest.append(top)
                sums.append(sum)
                outputs.append(
                    values[0].indices.map { c in
                        weights.indices.reduce(0) { $0 + weights[$1] * values[$1][c] } / sum
                    })
            }
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / Double(keyDim).squareRoot()
    }

    /// exp(logit) of every entry over the full sum, 0 behind the query.
    func shares(_ keys: [[Double]], _ at: [Int32]) -> [[Double]] {
        queries.indices.map { q in
            keys.indices.map { entry in
                Int(at[entry]) > positions[q]
                    ? 0 : exp(dot(queries[q], keys[entry]) - largest[q]) / sums[q]
            }
        }
    }

    /// Step 1: the weights of the entries.
    func weights(_ shares: [[Double]], start: [Double], rounds: Int) -> [Double] {
        var w = start
        for _ in 0..<rounds {
            let mass = shares.map { row in zip(row, w).reduce(0) { $0 + $1.0 * $1.1 } }
            for entry in w.indices {
                let wanted = shares.reduce(0) { $0 + $1[entry] }
                let carried = zip(shares, mass).reduce(0) { $0 + $1.0[entry] * $1.1 }
                if carried > 0 { w[entry] *= wanted / carried }
            }
        }
        return w.map { max($0, 1e-3) }
    }

    /// The squared error of the mass.
    func massError(_ shares: [[Double]], _ w: [Double]) -> Double {
        shares.reduce(0) { sum, row in
            let mass = zip(row, w).reduce(0) { $0 + $1.0 * $1.1 }
            return sum + (mass - 1) * (mass - 1)
        }
    }

    /// Attention over the entries alone.
    func attention(_ shares: [[Double]], _ w: [Double]) -> [[Double]] {
        shares.map { row in
            let weighted = zip(row, w).map { $0 * $1 }, sum = weighted.reduce(0, +)
            return weighted.map { sum > 0 ? $0 / sum : 0 }
        }
    }

    /// Step 2: V + (AᵀA + λI)⁻¹ Aᵀ(O - A V), by Gaussian elimination.
    func values(_ a: [[Double]], _ v: [[Double]], ridge: Double) -> [[Double]] {
        let count = v.count
        var matrix = (0..<count).map { i in
            (0..<count).map { j in a.reduce(0) { $0 + $1[i] * $1[j] } }
        }
        let lambda = ridge * (0..<count).reduce(0) { $0 + matrix[$1][$1] } / Double(count)
        for i in 0..<count { matrix[i][i] += lambda }
        let missing = missing(a, v)
        var right = (0..<count).map { i in
            v[0].indices.map { c in a.indices.reduce(0) { $0 + a[$1][i] * missing[$1][c] } }
        }
        for pivot in 0..<count {
            for row in 0..<count where row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot]
                for c in pivot..<count { matrix[row][c] -= factor * matrix[pivot][c] }
                for c in right[row].indices { right[row][c] -= factor * right[pivot][c] }
            }
        }
        var values = v
        for i in 0..<count {
            for c in values[i].indices { values[i][c] += right[i][c] / matrix[i][i] }
        }
        return values
    }

    /// O - A V.
    func missing(_ a: [[Double]], _ v: [[Double]]) -> [[Double]] {
        a.indices.map { q in
            v[0].indices.map { c in
                outputs[q][c] - v.indices.reduce(0) { $0 + a[q][$1] * v[$1][c] }
            }
        }
    }
}
