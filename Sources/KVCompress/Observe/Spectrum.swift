/// How the energy of rows (their summed squares) is spread over directions.
struct Spectrum {
    /// The eigenvalues of the rows' Gram matrix, largest first, in a unit of their own.
    let values: [Double]
    /// The energy of each channel, in the same unit.
    let channels: [Double]

    /// Reads the rows once; nil when a number is not finite.
    init?(_ rows: Rows) {
        let numbers = rows.floats()
        let largest = numbers.reduce(0) { $1.isFinite ? max($0, abs($1)) : .infinity }
        guard largest.isFinite else { return nil }
        // Shares do not change with the size of the rows, but large squares would overflow.
        let gram = LinearAlgebra.gram(
            numbers.map { largest > 0 ? $0 / largest : 0 }, dim: rows.dim)
        values = LinearAlgebra.symmetricEigen(gram, n: rows.dim).values.reversed().map(Double.init)
        channels = (0..<rows.dim).map { Double(gram[$0 * rows.dim + $0]) }
    }

    /// The fewest directions that hold a share of the energy.
    func dimensions(holding share: Double) -> Int {
        let wanted = values.reduce(0, +) * share
        var sum = 0.0
        return values.prefix { value in
            defer { sum += value }
            return sum < wanted
        }.count
    }
}

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
            guard let spectrum = Spectrum(rows) else {
                throw CompressionError(
                    .values, "key head \(head) holds a number that is not finite")
            }
            ranks += spectrum.dimensions(holding: energy)
        }
        return Double(ranks) / Double(keys.count)
    }
}
