@testable import KVCompress

/// TurboQuant in double precision, by the paper's steps (arXiv 2504.19874, algorithm 1): normalise, rotate,
/// nearest centroid, rotate back, multiply by the norm.
struct TurboQuantReference {
    /// Centroids for a coordinate of a row of norm 1.
    let centroids: [Double]
    /// The rotation's rows.
    let rotation: [[Double]]

    init(bits: Int, rotation: [[Double]]) {
        centroids = LloydReference(dim: rotation.count).levels(1 << bits)
        self.rotation = rotation
    }

    /// Random signs, then Hadamard.
    static func hadamard(dim: Int, seed: Int) -> [[Double]] {
        var quantizer = TurboQuant()
        quantizer.seed = seed
        let signs = quantizer.signs(dim: dim)
        // The transform is symmetric: its rows are the images of the unit rows.
        return (0..<dim).map { row in
            let image = hadamardReference((0..<dim).map { $0 == row ? 1 : 0 })
            return zip(image, signs).map { $0 * Double($1) }
        }
    }

    func decoded(_ row: [Double]) -> [Double] {
        let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard norm > 0 else { return row }
        let codes = rotation.map { direction -> Double in
            let coordinate = zip(direction, row).reduce(0) { $0 + $1.0 * $1.1 } / norm
            return centroids.min { abs($0 - coordinate) < abs($1 - coordinate) }!
        }
        return row.indices.map { element in
            norm * rotation.indices.reduce(0) { $0 + rotation[$1][element] * codes[$1] }
        }
    }
}
