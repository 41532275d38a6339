/// How much every kept entry must weigh for all of them together to carry the mass of the full cache.
///
/// Least squares over w >= 0 of |shares w - 1|, by multiplicative updates w <- w (sharesᵀ 1) / (sharesᵀ shares w):
/// they keep the sign, never raise the error, and need no factor of the matrix.
struct MassFit {
    /// Updates: few, since what they gain later holds for the reference queries only.
    static let rounds = 5
    /// The least weight: below it an entry is as good as gone, and its logarithm is no bias to store.
    static let least: Float = 1e-3
    /// The greatest weight of an entry of one vote: where keys changed so much that queries no longer find them,
    /// more would overflow, and held-out queries only lose.
    static let greatest: Float = 1e3

    /// `rows x entries`: exp(logit) over the full cache's sum of exp(logit).
    private let shares: Buffer<Float>
    private let rows: Int
    private let entries: Int
    private let kernels: Kernels

    init(_ shares: Buffer<Float>, rows: Int, entries: Int, _ kernels: Kernels) {
        precondition(shares.count == rows * entries)
        (self.shares, self.rows, self.entries, self.kernels) = (shares, rows, entries, kernels)
    }

    /// The weights after the updates; an entry that no reference query sees keeps the one it starts with.
    func weights(from start: [Float]) -> [Float] {
        var weights = start
        let wanted = transposed(times: [Float](repeating: 1, count: rows))
        var mass = [Float](repeating: 0, count: rows)
        for _ in 0..<Self.rounds {
            kernels.score(
                .f32, logits: &mass, logitsStride: rows, queries: weights, rows: 1, dim: entries,
                keys: shares.pointer, stride: entries, n: rows)
            let carried = transposed(times: mass)
            for entry in 0..<entries where carried[entry] > 0 {
                weights[entry] = min(
                    weights[entry] * wanted[entry] / carried[entry], Self.greatest * start[entry])
            }
        }
        withExtendedLifetime(shares) {}
        return weights.map { max($0, Self.least) }
    }

    /// sharesᵀ of a vector.
    private func transposed(times vector: [Float]) -> [Float] {
        var product = [Float](repeating: 0, count: entries)
        kernels.accumulate(
            .f32, accumulator: &product, rescale: [1], rows: 1, dim: entries, weights: vector,
            weightsStride: rows, values: shares.pointer, stride: entries, n: rows, indices: nil)
        return product
    }
}
