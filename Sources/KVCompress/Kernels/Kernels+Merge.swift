internal import CKVKernels

extension Kernels {
    /// Squared distances of packed f32 rows to one row.
    func squaredDistances(
        _ rows: UnsafePointer<Float>,
        count: Int,
        dim: Int,
        to row: UnsafePointer<Float>,
        into distances: UnsafeMutablePointer<Float>
    ) {
        kv_squared_distances(isa, distances, rows, dim, count, row, dim)
    }

    /// Dots of every row of packed f32 rows with the next one.
    func adjacentDots(
        _ rows: UnsafePointer<Float>,
        count: Int,
        dim: Int,
        into dots: UnsafeMutablePointer<Float>
    ) {
        kv_dot_adjacent(isa, dots, rows, dim, count, dim)
    }

    /// Per row of packed raw dots the first place of its largest product with the factors, and that product.
    func findNearest(
        _ logits: UnsafePointer<Float>,
        rows: Int,
        factors: ArraySlice<Float>
    ) -> [(place: UInt32, product: Float)] {
        precondition(factors.count <= 1 << 24, "places are exact below 2^24")
        var nearest = [UInt32](repeating: 0, count: rows)
        var largest = [Float](repeating: 0, count: rows)
        factors.withUnsafeBufferPointer { factors in
            kv_find_nearest(
                isa, &nearest, &largest, logits, factors.count, rows, factors.count,
                factors.baseAddress)
        }
        return zip(nearest, largest).map { ($0, $1) }
    }

    /// The weighted sum of some rows, ascending, as one packed f32 row; `weights` has one for every row.
    func weightedSum(
        of rows: Rows,
        _ members: ArraySlice<UInt32>,
        weights: [Float],
        to sum: UnsafeMutablePointer<Float>
    ) {
        precondition(weights.count == rows.count && members.allSatisfy { $0 < rows.count })
        var nothing: Float = 0
        members.withUnsafeBufferPointer { members in
            accumulate(
                rows.format, accumulator: sum, rescale: &nothing, rows: 1, dim: rows.dim,
                weights: weights, weightsStride: rows.count, values: rows.base, stride: rows.stride,
                n: rows.count, indices: members)
        }
    }

    /// Weighted sums of neighbouring packed f32 rows: of those up to the first end, of those from there up to
    /// the second, and so on.
    func mix(
        _ rows: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, ends: UnsafePointer<UInt32>,
        count: Int, dim: Int, to sums: UnsafeMutablePointer<Float>
    ) {
        kv_mix_rows(isa, sums, rows, dim, weights, ends, count, dim)
    }

    /// Adds the weighted sum of all rows to one packed f32 row.
    func addWeightedSum(of rows: Rows, weights: [Float], to sum: UnsafeMutablePointer<Float>) {
        precondition(weights.count == rows.count)
        var all: Float = 1
        accumulate(
            rows.format, accumulator: sum, rescale: &all, rows: 1, dim: rows.dim, weights: weights,
            weightsStride: rows.count, values: rows.base, stride: rows.stride, n: rows.count,
            indices: nil)
    }

    /// exp(x) for every x.
    func exponentials(_ x: [Float]) -> [Float] {
        [Float](unsafeUninitializedCapacity: x.count) { buffer, initialized in
            if let results = buffer.baseAddress { kv_exponentials(isa, results, x, x.count) }
            initialized = x.count
        }
    }

    /// The natural logarithm of every x, positive normal floats or 0.
    func logarithms(_ x: [Float]) -> [Float] {
        var logarithms = x
        logarithms.withUnsafeMutableBufferPointer { takeLogarithms($0) }
        return logarithms
    }

    /// Puts natural logarithms in the place of positive normal floats, and -infinity in that of 0.
    func takeLogarithms(_ x: UnsafeMutableBufferPointer<Float>) {
        guard let base = x.baseAddress else { return }
        kv_logarithms(isa, base, base, x.count)
    }
}
