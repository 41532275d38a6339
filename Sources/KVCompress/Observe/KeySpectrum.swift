extension CacheLayer {
    /// Dimensions that hold a share of the keys' energy, averaged over the kv heads.
    ///
    /// The eigenvalues of each head's key Gram matrix, largest first, are added until they reach the share
    /// (Eigen Attention, arXiv 2408.05646, section 3): a low number promises much of low-rank keys. Reads the
    /// layer's keys once.
    /// - Parameter energy: the share, 0...1.
    /// - Throws: `CompressionError` of code `.values` for a key that is not finite.
    public func effectiveKeyRank(energy: Double = 0.9) throws(CompressionError) -> Double {
        var ranks = 0
        for (head, rows) in keys.enumerated() {
            let keys = rows.floats()
            let largest = keys.reduce(0) { $1.isFinite ? max($0, abs($1)) : .infinity }
            guard largest.isFinite else {
                throw CompressionError(
                    .values, "key head \(head) holds a number that is not finite")
            }
            // Shares do not change with the size of the keys, but large squares would overflow.
            let gram = LinearAlgebra.gram(
                keys.map { largest > 0 ? $0 / largest : 0 }, dim: rows.dim)
            let values = LinearAlgebra.symmetricEigen(gram, n: rows.dim).values.reversed().map(
                Double.init)
            let wanted = values.reduce(0, +) * energy
            var sum = 0.0
            ranks +=
                values.prefix { value in
                    defer { sum += value }
                    return sum < wanted
                }.count
        }
        return Double(ranks) / Double(keys.count)
    }
}
