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

    /// Per row of raw dots the first place of its largest product with the factors, and that product.
    func findNearest(
        _ logits: UnsafePointer<Float>,
        rows: Int,
        factors: [Float],
        nearest: UnsafeMutablePointer<UInt32>,
        largest: UnsafeMutablePointer<Float>
    ) {
        precondition(factors.count <= 1 << 24, "places are exact below 2^24")
        kv_find_nearest(
            isa, nearest, largest, logits, factors.count, rows, factors.count, factors)
    }

    /// exp(x) for every x.
    func exponentials(_ x: [Float]) -> [Float] {
        [Float](unsafeUninitializedCapacity: x.count) { buffer, initialized in
            if let results = buffer.baseAddress { kv_exponentials(isa, results, x, x.count) }
            initialized = x.count
        }
    }

    /// The natural logarithm of every x, positive normal floats.
    func logarithms(_ x: [Float]) -> [Float] {
        [Float](unsafeUninitializedCapacity: x.count) { buffer, initialized in
            if let results = buffer.baseAddress { kv_logarithms(isa, results, x, x.count) }
            initialized = x.count
        }
    }
}
