internal import CKVKernels

extension Kernels {
    /// Raw dots of packed f32 query rows with the first `count` keys, in whatever plain format these are.
    func dots(
        _ queries: UnsafePointer<Float>,
        rows: Int,
        with keys: Rows,
        count: Int,
        to logits: UnsafeMutablePointer<Float>,
        stride: Int
    ) {
        precondition(count <= keys.count && count <= stride)
        score(
            keys.format,
            logits: logits,
            logitsStride: stride,
            queries: queries,
            rows: rows,
            dim: keys.dim,
            keys: keys.base,
            stride: keys.stride,
            n: count
        )
    }

    /// The weighted sum of rows, one weight each, as one packed f32 row.
    func weightedSum(
        of rows: Rows,
        weights: UnsafePointer<Float>,
        to sum: UnsafeMutablePointer<Float>
    ) {
        sum.update(repeating: 0, count: rows.dim)
        accumulate(
            rows.format,
            accumulator: sum,
            rescale: [1],
            rows: 1,
            dim: rows.dim,
            weights: weights,
            weightsStride: rows.count,
            values: rows.base,
            stride: rows.stride,
            n: rows.count,
            indices: nil
        )
    }

    /// Turns raw dots of one query head into causal attention and adds it to the reductions, each
    /// one number per key; nil for those that nobody wants.
    func observe(
        _ logits: UnsafeMutablePointer<Float>,
        stride: Int,
        keys: Int,
        visible: [UInt32],
        scale: Float,
        windowStart: Int,
        threshold: Float,
        into reduction: (ReceivedAttention.Reduction) -> UnsafeMutablePointer<Float>?
    ) {
        precondition(keys <= stride && visible.allSatisfy { $0 >= 1 && $0 <= keys })
        let observation = kv_observation(
            sum: reduction(.sum),
            window_sum: reduction(.windowSum),
            sum_squares: reduction(.squares),
            entropy: reduction(.entropy),
            below: reduction(.below),
            maximum: reduction(.maximum)
        )
        kv_observe(
            isa,
            observation,
            logits,
            stride,
            visible.count,
            keys,
            visible,
            scale,
            windowStart,
            threshold
        )
    }

    /// Turns a row of logits into its softmax, in place.
    func softmax(_ row: UnsafeMutablePointer<Float>, count: Int) {
        observe(
            row,
            stride: count,
            keys: count,
            visible: [UInt32(count)],
            scale: 1,
            windowStart: 0,
            threshold: 1
        ) { _ in nil }
    }

    /// Adds the softmax of logits, which become it; at least one is above -infinity.
    func addSoftmax(of logits: inout [Float], to sums: inout [Float]) {
        precondition(logits.count == sums.count)
        sums.withUnsafeMutableBufferPointer { sums in
            let sums = sums.baseAddress
            observe(
                &logits, stride: logits.count, keys: logits.count,
                visible: [UInt32(logits.count)], scale: 1, windowStart: 0, threshold: 0
            ) { $0 == .sum ? sums : nil }
        }
    }

    /// L2 norms of rows in any plain format.
    func norms(of rows: Rows, to norms: UnsafeMutablePointer<Float>) {
        let chunk = max(1, 16384 / rows.dim)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk * rows.dim) { scratch in
            for start in stride(from: 0, to: rows.count, by: chunk) {
                let range = start..<min(start + chunk, rows.count)
                convert(rows, rows: range, to: scratch.baseAddress!)
                self.norms(
                    scratch.baseAddress!,
                    count: range.count,
                    dim: rows.dim,
                    to: norms + start
                )
            }
        }
    }

    /// The smallest and largest number of every channel of packed f32 rows, of which there is one at least.
    func channelRanges(
        _ rows: UnsafePointer<Float>,
        count: Int,
        dim: Int,
        minimum: UnsafeMutablePointer<Float>,
        maximum: UnsafeMutablePointer<Float>
    ) {
        precondition(count >= 1)
        kv_channel_ranges(isa, minimum, maximum, rows, dim, count, dim)
    }

    /// The standard deviation of each packed f32 row's channels, shifted by an offset and scaled by a factor each.
    func spreads(
        _ rows: UnsafePointer<Float>,
        count: Int,
        dim: Int,
        offset: [Float],
        factor: [Float],
        to spreads: UnsafeMutablePointer<Float>
    ) {
        precondition(offset.count == dim && factor.count == dim)
        kv_spread_rows(isa, spreads, rows, dim, count, dim, offset, factor)
    }

    /// The index of the first number that is not finite.
    func firstNotFinite(_ numbers: UnsafePointer<Float>, count: Int) -> Int? {
        let found = kv_find_beyond(isa, numbers, count, .greatestFiniteMagnitude)
        return found < count ? found : nil
    }
}
