internal import CKVKernels

/// The optional vectors of a block's entries, each as long as the block.
struct EntryVectors {
    var logitBias: UnsafePointer<Float>?
    var keyScale: UnsafePointer<Float>?
    var valueScale: UnsafePointer<Float>?

    var isEmpty: Bool { logitBias == nil && keyScale == nil && valueScale == nil }
}

extension Kernels {
    /// Raw dots of `rows` packed queries with `n` plain keys.
    func score(
        _ format: ElementFormat, logits: UnsafeMutablePointer<Float>, logitsStride: Int,
        queries: UnsafePointer<Float>, rows: Int, dim: Int, keys: UnsafeRawPointer, stride: Int,
        n: Int
    ) {
        switch format {
        case .f32:
            kv_score_f32(
                isa, logits, logitsStride, queries, rows, dim,
                keys.assumingMemoryBound(to: Float.self), stride, n)
        case .f16:
            kv_score_f16(
                isa, logits, logitsStride, queries, rows, dim,
                keys.assumingMemoryBound(to: UInt16.self), stride, n)
        case .bf16:
            kv_score_bf16(
                isa, logits, logitsStride, queries, rows, dim,
                keys.assumingMemoryBound(to: UInt16.self), stride, n)
        }
    }

    /// Adds `n` weighted plain values, or those of an ascending index list, to rescaled accumulators.
    func accumulate(
        _ format: ElementFormat, accumulator: UnsafeMutablePointer<Float>,
        rescale: UnsafePointer<Float>, rows: Int, dim: Int, weights: UnsafePointer<Float>,
        weightsStride: Int, values: UnsafeRawPointer, stride: Int, n: Int,
        indices: UnsafeBufferPointer<UInt32>?
    ) {
        let list = indices?.baseAddress
        let listCount = indices?.count ?? 0
        switch format {
        case .f32:
            kv_accumulate_f32(
                isa, accumulator, rescale, rows, dim, weights, weightsStride,
                values.assumingMemoryBound(to: Float.self), stride, n, list, listCount)
        case .f16:
            kv_accumulate_f16(
                isa, accumulator, rescale, rows, dim, weights, weightsStride,
                values.assumingMemoryBound(to: UInt16.self), stride, n, list, listCount)
        case .bf16:
            kv_accumulate_bf16(
                isa, accumulator, rescale, rows, dim, weights, weightsStride,
                values.assumingMemoryBound(to: UInt16.self), stride, n, list, listCount)
        }
    }

    /// Turns a block's raw dots into the logits that a softmax sees.
    func finishLogits(
        _ logits: UnsafeMutablePointer<Float>, stride: Int, rows: Int, n: Int,
        visible: UnsafePointer<UInt32>, scale: Float, softcap: Float, vectors: EntryVectors
    ) {
        var entries = kv_entry_vectors(
            logit_bias: vectors.logitBias, key_scale: vectors.keyScale, value_scale: nil)
        kv_finish_logits(isa, logits, stride, rows, n, visible, scale, softcap, &entries)
    }

    /// Turns a block's logits into weights under the running maximum and sum of each row.
    func softmaxFold(
        logits: UnsafeMutablePointer<Float>, stride: Int, rows: Int, n: Int,
        visible: UnsafePointer<UInt32>, scale: Float, softcap: Float, vectors: EntryVectors,
        state: FoldState, rescale: UnsafeMutablePointer<Float>
    ) {
        if vectors.isEmpty {
            kv_softmax_fold(
                isa, logits, stride, rows, n, visible, scale, softcap, nil, state.maximum,
                state.sum,
                rescale)
            return
        }
        var entries = kv_entry_vectors(
            logit_bias: vectors.logitBias, key_scale: vectors.keyScale,
            value_scale: vectors.valueScale)
        kv_softmax_fold(
            isa, logits, stride, rows, n, visible, scale, softcap, &entries, state.maximum,
            state.sum,
            rescale)
    }

    /// Folds state `b` into state `a`.
    func merge(_ a: FoldState, _ b: FoldState) {
        precondition(a.rows == b.rows && a.dim == b.dim)
        kv_merge_states(
            isa, a.maximum, a.sum, a.accumulator, b.maximum, b.sum, b.accumulator, a.rows, a.dim)
    }

    /// Divides the accumulators by the sums.
    func finish(_ state: FoldState, output: UnsafeMutablePointer<Float>) {
        kv_finish_states(isa, output, state.accumulator, state.sum, state.rows, state.dim)
    }
}
