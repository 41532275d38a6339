/// The factor L of a symmetric positive matrix plus a ridge, L Lᵀ = matrix + ridge I.
///
/// It is made of the kernels' dots and sums of rows, so that, unlike what `LinearAlgebra` borrows, it has
/// the same bits on every machine and starts no threads of its own.
struct Cholesky {
    /// n x n, row-major: L in the lower triangle and on the diagonal, Lᵀ in the upper triangle.
    private let factor: Buffer<Float>
    private let n: Int
    private let kernels: Kernels

    /// Factors a matrix in its own memory; only its lower triangle counts.
    ///
    /// - Parameter ridge: above 0; no pivot falls below it but by rounding, which is undone.
    init(overwriting matrix: Buffer<Float>, n: Int, ridge: Float, kernels: Kernels) {
        precondition(matrix.count == n * n && ridge > 0)
        factor = matrix
        self.n = n
        self.kernels = kernels
        let a = matrix.pointer
        var dots = [Float](repeating: 0, count: n)
        for column in 0..<n {
            if column > 0 {
                let row = a + column * n
                kernels.score(
                    .f32, logits: &dots, logitsStride: n, queries: row, rows: 1, dim: column,
                    keys: row, stride: n, n: n - column)
            }
            let pivot = max(a[column * n + column] + ridge - dots[0], ridge).squareRoot()
            a[column * n + column] = pivot
            for row in column + 1..<n {
                let element = (a[row * n + column] - dots[row - column]) / pivot
                a[row * n + column] = element
                a[column * n + row] = element
            }
        }
        withExtendedLifetime(matrix) {}
    }

    /// Replaces n packed rows b by the x with (matrix + ridge I) x = b.
    func solve(_ rows: Buffer<Float>, dim: Int) {
        precondition(rows.count == n * dim)
        for row in 0..<n { substitute(row, from: 0..<row, rows.pointer, dim: dim) }
        for row in (0..<n).reversed() { substitute(row, from: row + 1..<n, rows.pointer, dim: dim) }
        withExtendedLifetime((factor, rows)) {}
    }

    /// One row of a triangular system, once those in `known` are solved.
    private func substitute(
        _ row: Int, from known: Range<Int>, _ rows: UnsafeMutablePointer<Float>, dim: Int
    ) {
        let x = rows + row * dim
        let pivot = factor.pointer[row * n + row]
        for element in 0..<dim { x[element].negate() }
        if !known.isEmpty {
            kernels.accumulate(
                .f32, accumulator: x, rescale: [1], rows: 1, dim: dim,
                weights: factor.pointer + row * n + known.lowerBound, weightsStride: n,
                values: rows + known.lowerBound * dim, stride: dim, n: known.count, indices: nil)
        }
        for element in 0..<dim { x[element] /= -pivot }
    }
}
