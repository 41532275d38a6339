/// Values for which attention over the kept entries gives the outputs of the full cache.
///
/// Ridge least squares toward the values as they are, V + (AᵀA + λI)⁻¹ Aᵀ(O - A V). Where there are more
/// entries than rows the same is V + Aᵀ(A Aᵀ + λI)⁻¹ (O - A V), whose work grows with the entries only linearly.
struct ValueFit {
    /// A, `rows x entries`.
    let attention: Buffer<Float>
    let rows: Int
    let entries: Int
    let kernels: Kernels
    let allocator: Allocator

    /// Moves packed values of `dim` elements toward `outputs`, of as many.
    ///
    /// - Parameter ridge: λ is so many times the mean of the diagonal of AᵀA.
    func refit(
        _ values: Buffer<Float>, toward outputs: Buffer<Float>, dim: Int, ridge: Double
    ) {
        precondition(values.count == entries * dim && outputs.count == rows * dim)
        let squares = (0..<rows * entries).reduce(0.0) {
            $0 + Double(attention.pointer[$1]) * Double(attention.pointer[$1])
        }
        let lambda = Float(ridge * squares / Double(entries))
        // Where no query sees an entry nothing is known of values.
        guard lambda > 0 else { return }
        let transposed = transposed()
        let missing = product(attention, values, rows: rows, inner: entries, dim: dim)
        for element in 0..<missing.count {
            missing.pointer[element] = outputs.pointer[element] - missing.pointer[element]
        }
        let change: Buffer<Float>
        if entries <= rows {
            change = product(transposed, missing, rows: entries, inner: rows, dim: dim)
            factor(transposed, count: entries, length: rows, lambda).solve(change, dim: dim)
        } else {
            factor(attention, count: rows, length: entries, lambda).solve(missing, dim: dim)
            change = product(transposed, missing, rows: entries, inner: rows, dim: dim)
        }
        for element in 0..<values.count { values.pointer[element] += change.pointer[element] }
        withExtendedLifetime((attention, outputs)) {}
    }

    /// The factor of the dots of `count` packed rows with each other plus λ.
    private func factor(
        _ matrix: Buffer<Float>, count: Int, length: Int, _ lambda: Float
    ) -> Cholesky {
        let dots = allocator.buffer(Float.self, count * count)
        kernels.score(
            .f32, logits: dots.pointer, logitsStride: count, queries: matrix.pointer, rows: count,
            dim: length, keys: matrix.pointer, stride: length, n: count)
        return Cholesky(overwriting: dots, n: count, ridge: lambda, kernels: kernels)
    }

    private func transposed() -> Buffer<Float> {
        let result = allocator.buffer(Float.self, attention.count)
        for row in 0..<rows {
            for entry in 0..<entries {
                result.pointer[entry * rows + row] = attention.pointer[row * entries + entry]
            }
        }
        return result
    }

    /// `weights` (rows x inner) times packed rows of `dim`.
    private func product(
        _ weights: Buffer<Float>, _ values: Buffer<Float>, rows: Int, inner: Int, dim: Int
    ) -> Buffer<Float> {
        let sums = allocator.buffer(Float.self, rows * dim)
        kernels.accumulate(
            .f32, accumulator: sums.pointer, rescale: [Float](repeating: 1, count: rows),
            rows: rows, dim: dim, weights: weights.pointer, weightsStride: inner,
            values: values.pointer, stride: dim, n: inner, indices: nil)
        withExtendedLifetime((weights, values)) {}
        return sums
    }
}
