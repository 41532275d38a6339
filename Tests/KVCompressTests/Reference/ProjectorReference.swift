import Foundation

@testable import KVCompress

/// Eigenvalues, largest first, and eigenvectors of a symmetric matrix by Jacobi's rotations.
func jacobiEigen(_ matrix: [[Double]]) -> (values: [Double], vectors: [[Double]]) {
    let n = matrix.count
    var a = matrix
    var v = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0.0 } }
    for _ in 0..<60 {
        var off = 0.0
        for p in 0..<n {
            for q in 0..<n where q > p {
                off += a[p][q] * a[p][q]
                guard abs(a[p][q]) > 1e-300 else { continue }
                let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                let c = 1 / (t * t + 1).squareRoot(), s = t * c
                for k in 0..<n {
                    (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q])
                }
                for k in 0..<n {
                    (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k])
                    (v[p][k], v[q][k]) = (c * v[p][k] - s * v[q][k], s * v[p][k] + c * v[q][k])
                }
            }
        }
        if off < 1e-28 { break }
    }
    let order = (0..<n).sorted { a[$0][$0] > a[$1][$1] }
    return (order.map { a[$0][$0] }, order.map { v[$0] })
}

/// What low rank promises, from the text.
struct LowRankReference {
    /// The matrix whose eigenvectors are the directions.
    var matrix: [[Double]]
    /// Its eigenvalues, largest first.
    var energies: [Double]

    /// The sum of the Gram matrices of some sets of rows, each divided by its trace.
    init(_ sets: [[[Double]]], dim: Int) {
        matrix = (0..<dim).map { _ in [Double](repeating: 0, count: dim) }
        for rows in sets {
            var gram = (0..<dim).map { _ in [Double](repeating: 0, count: dim) }
            for row in rows {
                for i in 0..<dim { for j in 0..<dim { gram[i][j] += row[i] * row[j] } }
            }
            let trace = (0..<dim).reduce(0) { $0 + gram[$1][$1] }
            guard trace > 0 else { continue }
            for i in 0..<dim { for j in 0..<dim { matrix[i][j] += gram[i][j] / trace } }
        }
        energies = jacobiEigen(matrix).values
    }

    /// The fewest directions that hold a share of the energy.
    func rank(share: Double) -> Int {
        let total = energies.reduce(0, +)
        return energies.indices.first {
            energies[...$0].reduce(0, +) >= share * total * (1 - 1e-6)
        }!
            + 1
    }

    /// The energy along some directions.
    func energy(along directions: [[Double]]) -> Double {
        directions.reduce(0) { sum, b in
            sum
                + b.indices.reduce(0) { sum, i in
                    sum + b[i] * b.indices.reduce(0) { $0 + matrix[i][$1] * b[$1] }
                }
        }
    }
}

/// The channels that ThinK keeps: those of highest |Q[:,c]|² |K[:,c]|², the mean over the group's heads.
func thinkReference(keys: [[Double]], queries: [[[Double]]], keep: Int) -> [Int] {
    func energy(_ rows: [[Double]], _ channel: Int) -> Double {
        rows.reduce(0) { $0 + $1[channel] * $1[channel] }
    }
    let scores = keys[0].indices.map { channel in
        queries.reduce(0) { $0 + energy($1, channel) * energy(keys, channel) }
            / Double(queries.count)
    }
    var kept: [Int] = []
    while kept.count < keep {
        kept.append(
            scores.indices.filter { !kept.contains($0) }.max {
                (scores[$0], -$0) < (scores[$1], -$1)
            }!)
    }
    return kept.sorted()
}

extension Rows {
    /// The rows in double precision.
    var doubles: [[Double]] { (0..<count).map { row($0).map(Double.init) } }
}

extension Basis {
    /// A matrix' rows, in double precision.
    var directions: [[Double]] {
        (0..<rank).map { row in
            (0..<dim).map { Double(Kernels.best.float(half: numbers[row * dim + $0])) }
        }
    }
}

/// RoPE in double precision, from its definition.
struct RoPEReference {
    let theta: Double
    let isInterleaved: Bool
    let dims: Int

    init(_ cache: Cache, dim: Int) {
        theta = Double(cache.metadata["rope_theta"]!)!
        isInterleaved = cache.metadata["rope_style"] == "interleaved"
        dims = cache.metadata["rope_dims"].map { Int($0)! } ?? dim
    }

    /// A row turned to its position, or back from it.
    func turned(_ row: [Double], position: Int, back: Bool = false) -> [Double] {
        var turned = row
        for pair in 0..<dims / 2 {
            let angle = Double(position) * pow(theta, -2 * Double(pair) / Double(dims))
            let a = isInterleaved ? 2 * pair : pair
            let b = isInterleaved ? 2 * pair + 1 : pair + dims / 2
            let (cosine, sine) = (cos(angle), back ? -sin(angle) : sin(angle))
            turned[a] = row[a] * cosine - row[b] * sine
            turned[b] = row[b] * cosine + row[a] * sine
        }
        return turned
    }
}
