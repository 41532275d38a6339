/// Orthonormal directions of rows, by the energy that lies along them.
struct PrincipalAxes {
    let dim: Int
    /// Eigenvalues, largest first, none negative.
    let energies: [Float]
    /// The eigenvectors in the same order, packed.
    private let axes: [Float]

    /// Eigenvectors of the sum of the sources' Gram matrices, each divided by its trace.
    ///
    /// - Parameter sources: packed rows; those without rows or with only zeros do not count.
    init(of sources: [[Float]], dim: Int) {
        var sum = [Float](repeating: 0, count: dim * dim)
        for rows in sources {
            let largest = rows.reduce(0) { max($0, abs($1)) }
            guard largest > 0 else { continue }
            // The trace takes the size out again, but large squares would overflow.
            let gram = LinearAlgebra.gram(rows.map { $0 / largest }, dim: dim)
            let trace = (0..<dim).reduce(Float(0)) { $0 + gram[$1 * dim + $1] }
            for index in sum.indices { sum[index] += gram[index] / trace }
        }
        let (values, vectors) = LinearAlgebra.symmetricEigen(sum, n: dim)
        self.dim = dim
        energies = values.reversed().map { max(0, $0) }
        axes = (0..<dim).reversed().flatMap { vectors[$0 * dim..<($0 + 1) * dim] }
    }

    /// The axes of most energy, packed.
    func strongest(_ rank: Int) -> [Float] { Array(axes[..<(rank * dim)]) }
}

extension Amount {
    /// The rank that this means: itself, or the fewest of the energies, largest first, whose sum reaches the
    /// share; at least 1 and at most all.
    func rank(of energies: [Float]) -> Int {
        switch self {
        case .tokens(let rank): return min(rank, energies.count)
        case .share(let share):
            let total = energies.reduce(0) { $0 + Double($1) }
            let wanted = total * Double(share.millionths) / 1_000_000
            var sum = 0.0
            for (index, energy) in energies.enumerated() {
                sum += Double(energy)
                if sum >= wanted { return index + 1 }
            }
            return energies.count
        }
    }
}
