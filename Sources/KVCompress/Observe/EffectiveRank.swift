import Foundation

/// How many dimensions the queries and the keys of a layer fill.
struct EffectiveRanks: Sendable {
    /// Of the queries of all heads together.
    var queries: Double
    /// Of the keys of every kv head.
    var keys: [Double]
}

extension Observation {
    /// Effective ranks of all layers, computed on the caller's thread, so that LAPACK is asked in one order.
    ///
    /// The cache must carry queries in every layer.
    func effectiveRanks() -> [EffectiveRanks] {
        cache.layers.map { layer in
            EffectiveRanks(
                queries: Self.effectiveRank(
                    (layer.queries ?? []).flatMap { $0.floats() }, dim: layer.geometry.keyDim),
                keys: layer.keys.map { Self.effectiveRank($0.floats(), dim: $0.dim) }
            )
        }
    }

    /// exp of the entropy of the eigenvalues of the rows' covariance, as shares of their sum: 1 where all rows
    /// lie on a line, `dim` where they fill all directions alike.
    static func effectiveRank(_ rows: [Float], dim: Int) -> Double {
        let largest = rows.reduce(0) { max($0, abs($1)) }
        guard largest > 0 else { return 1 }
        // Shares do not change with the size of the rows, but large squares would overflow.
        let scaled = rows.map { $0 / largest }, count = rows.count / dim
        var covariance = LinearAlgebra.gram(scaled, dim: dim)
        var mean = [Float](repeating: 0, count: dim)
        Kernels.best.weightedSum(
            of: Rows(scaled, dim: dim),
            weights: [Float](repeating: 1 / Float(count), count: count),
            to: &mean
        )
        for a in 0..<dim {
            for b in 0..<dim { covariance[a * dim + b] -= Float(count) * mean[a] * mean[b] }
        }
        let values = LinearAlgebra.symmetricEigen(covariance, n: dim).values.map {
            max(0, Double($0))
        }
        let sum = values.reduce(0, +)
        guard sum > 0 else { return 1 }
        return exp(
            values.reduce(0) { entropy, value in
                let share = value / sum
                return share > 1e-12 ? entropy - share * log(share) : entropy
            }
        )
    }
}
