import CKVKernels

/// Passes on the per-entry vectors that a reference softmax says.
func withVectors<R>(
    of softmax: Reference.Softmax, _ body: (UnsafePointer<kv_entry_vectors>) -> R
) -> R {
    func pointer(_ vector: [Float]?, _ body: (UnsafePointer<Float>?) -> R) -> R {
        guard let vector else { return body(nil) }
        return vector.withUnsafeBufferPointer { body($0.baseAddress) }
    }
    return pointer(softmax.bias) { bias in
        pointer(softmax.keyScale) { keyScale in
            pointer(softmax.valueScale) { valueScale in
                var vectors = kv_entry_vectors(
                    logit_bias: bias, key_scale: keyScale, value_scale: valueScale)
                return body(&vectors)
            }
        }
    }
}

/// Calls kv_softmax_fold, scalar, with what a reference softmax says.
func foldKernel(
    _ logits: inout [Float], n: Int, visible: [UInt32], softmax: Reference.Softmax,
    maximum: inout [Float], sum: inout [Float], rescale: inout [Float]
) {
    withVectors(of: softmax) { vectors in
        kv_softmax_fold(
            .scalar, &logits, n, maximum.count, n, visible, Float(softmax.scale),
            Float(softmax.softcap), vectors, &maximum, &sum, &rescale)
    }
}

/// A fold state of several query rows, moved by the scalar kernels.
struct KernelState: Equatable {
    let rows: Int
    let dim: Int
    var maximum: [Float]
    var sum: [Float]
    var accumulator: [Float]

    init(rows: Int, dim: Int) {
        self.rows = rows
        self.dim = dim
        maximum = .init(repeating: -.infinity, count: rows)
        sum = .init(repeating: 0, count: rows)
        accumulator = .init(repeating: 0, count: rows * dim)
    }

    mutating func randomize(_ random: inout Random) {
        for r in 0..<rows where random.chance(70) {
            maximum[r] = 10 * random.unit()
            sum[r] = 1 + 20 * random.unit().magnitude
            for c in 0..<dim { accumulator[r * dim + c] = 5 * random.normal() }
        }
    }

    /// Softmax of a block's logits: what values are to be weighted with.
    mutating func weigh(_ logits: inout [Float], n: Int, scale: Float, bias: [Float]? = nil)
        -> [Float]
    {
        var rescale = [Float](repeating: 0, count: rows)
        foldKernel(
            &logits,
            n: n,
            visible: .init(repeating: UInt32(n), count: rows),
            softmax: .init(scale: Double(scale), bias: bias),
            maximum: &maximum,
            sum: &sum,
            rescale: &rescale
        )
        return rescale
    }

    mutating func fold(
        _ queries: [Float],
        keys: [Float],
        values: [Float],
        scale: Float,
        bias: [Float]? = nil
    ) {
        let n = keys.count / dim
        var logits = [Float](repeating: 0, count: rows * n)
        kv_score_f32(.scalar, &logits, n, queries, rows, dim, keys, dim, n)
        let rescale = weigh(&logits, n: n, scale: scale, bias: bias)
        kv_accumulate_f32(
            .scalar,
            &accumulator,
            rescale,
            rows,
            dim,
            logits,
            n,
            values,
            dim,
            n,
            nil,
            0
        )
    }

    mutating func merge(_ other: KernelState) {
        kv_merge_states(
            .scalar,
            &maximum,
            &sum,
            &accumulator,
            other.maximum,
            other.sum,
            other.accumulator,
            rows,
            dim
        )
    }

    func output() -> [Float] {
        var out = [Float](repeating: 0, count: rows * dim)
        kv_finish_states(.scalar, &out, accumulator, sum, rows, dim)
        return out
    }

    func reference(_ r: Int) -> Reference.State {
        var state = Reference.State(dim: dim)
        state.maximum = Double(maximum[r])
        state.sum = Double(sum[r])
        state.accumulator = accumulator.row(r, dim).map(Double.init)
        return state
    }
}
