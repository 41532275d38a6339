/// What the codes of a non-uniform quantizer stand for: small integers under one step, so that attention
/// stays exact in integers.
struct Codebook: Hashable, Sendable {
    /// The levels of codes 0, 1, ..., ascending; lanes beyond the last code are 0.
    let levels: SIMD16<Int8>
    /// What a level of 1 stands for among numbers whose mean square is 1.
    let step: Float
}

extension Codebook {
    private struct Key: Hashable { let dim, bits: Int }
    private static let known = Locked<[Key: Codebook]>([:])

    /// The Lloyd-Max quantizer for coordinates of a row that points anywhere with equal chance (TurboQuant,
    /// arXiv 2504.19874, section 3.1), its levels rounded to 8 bits.
    ///
    /// Computed once per process and shape, from additions, multiplications, divisions and square roots
    /// alone: the same numbers everywhere, so that files need not carry them.
    /// - Parameters:
    ///   - dim: elements of the row; below 3, where the density has no bell, those of 3.
    ///   - bits: 2, 3 or 4.
    static func lloydMax(dim: Int, bits: Int) -> Codebook {
        precondition((2...4).contains(bits) && dim > 0)
        let key = Key(dim: max(3, dim), bits: bits)
        return known.withLock { known in
            if let book = known[key] { return book }
            let book = CoordinateDensity(dim: key.dim).codebook(levels: 1 << bits)
            known[key] = book
            return book
        }
    }
}

/// The density of a coordinate of a random row of `dim` elements and mean square 1: in proportion to
/// (1 - y^2 / dim)^((dim - 3) / 2), its moments summed over a fine grid of y >= 0.
private struct CoordinateDensity {
    private static let cells = 16384
    private let width: Double
    /// Sums of density, density y and density y^2 over the cells below each edge; in all, the first is 1.
    private var moments: [SIMD3<Double>] = [.zero]

    init(dim: Int) {
        // Beyond 8 deviations there is nothing that a sum would notice.
        width = min(Double(dim).squareRoot(), 8) / Double(Self.cells)
        for cell in 0..<Self.cells {
            let y = (Double(cell) + 0.5) * width
            let density = Self.power((1 - y * y / Double(dim)).squareRoot(), dim - 3)
            moments.append(moments[cell] + density * SIMD3(1, y, y * y))
        }
        let total = moments[Self.cells].x
        for edge in moments.indices { moments[edge] /= total }
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest % 2 == 1 { result *= square }
            square *= square
            rest /= 2
        }
        return result
    }

    /// The moments between two places.
    private func moments(from low: Double, to high: Double) -> SIMD3<Double> {
        func below(_ y: Double) -> SIMD3<Double> {
            let place = y / width
            guard place < Double(Self.cells) else { return moments[Self.cells] }
            let cell = Int(place)
            return moments[cell] + (moments[cell + 1] - moments[cell]) * (place - Double(cell))
        }
        return below(high) - below(low)
    }

    /// The moments of what is nearest to each of some ascending positive levels.
    private func nearest(_ levels: [Double]) -> [SIMD3<Double>] {
        let edges = [0] + zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 } + [.infinity]
        return levels.indices.map { moments(from: edges[$0], to: edges[$0 + 1]) }
    }

    /// Lloyd's iteration on the positive half of the levels, then the best grid for them.
    func codebook(levels count: Int) -> Codebook {
        let half = count / 2
        let largest = min(3, width * Double(Self.cells))
        var centroids = (0..<half).map { (Double($0) + 0.5) * largest / Double(half) }
        for _ in 0..<2000 { centroids = nearest(centroids).map { $0.y / $0.x } }
        var best = (error: Double.infinity, levels: [Int](), step: 0.0)
        for largest in 64...127 {
            let step = centroids[half - 1] / Double(largest)
            let rounded = centroids.map { Int(($0 / step).rounded()) }
            let error = zip(rounded, nearest(rounded.map { Double($0) * step })).reduce(0) {
                let level = Double($1.0) * step
                return $0 + $1.1.z - 2 * level * $1.1.y + level * level * $1.1.x
            }
            if error < best.error { best = (error, rounded, step) }
        }
        var levels = SIMD16<Int8>()
        for (index, level) in best.levels.enumerated() {
            levels[half + index] = Int8(level)
            levels[half - 1 - index] = Int8(-level)
        }
        return Codebook(levels: levels, step: Float(best.step))
    }
}
