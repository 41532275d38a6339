extension CacheLayer {
    /// Dimensions that hold a share of the keys' energy, averaged over the kv heads.
    ///
    /// The eigenvalues of each head's key Gram matrix, largest first, are added until they reach the share
    /// (Eigen Attention, arXiv 2408.05646, section 3): a low number promises much of low-rank keys. Reads the
    /// layer's keys once.
    /// - Parameter energy: the share, 0...1.
    public func effectiveKeyRank(energy: Double = 0.9) -> Double {
        let ranks = keys.map { rows -> Double in
            let gram = LinearAlgebra.gram(rows.floats(), dim: rows.dim)
            let values = LinearAlgebra.symmetricEigen(gram, n: rows.dim).values.reversed().map(
                Double.init)
            let wanted = values.reduce(0, +) * energy
            var sum = 0.0
            return Double(
                values.prefix { value in
                    defer { sum += value }
                    return sum < wanted
                }.count)
        }
        return ranks.reduce(0, +) / Double(ranks.count)
    }
}
