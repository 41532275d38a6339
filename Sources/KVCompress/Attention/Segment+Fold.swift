extension Segment {
    /// What a block's entries weigh, and which of them count; nil means all.
    typealias BlockWeights = (
        weights: UnsafeMutablePointer<Float>, indices: UnsafeBufferPointer<UInt32>?
    )

    /// Folds blocks of this segment into a state and maps it to the output space.
    ///
    /// `visible` counts from the segment's start.
    func fold(
        _ blocks: Range<Int>, queries: UnsafePointer<Float>, state: FoldState, visible: Visible,
        scale: Float, softcap: Float, rowTile: Int, allocator: Allocator, kernels: Kernels
    ) {
        let tile = min(rowTile, state.rows)
        let preparedBytes = (keys.codec.preparedBytes(rows: tile) + 63) / 64 * 64
        let scratch = allocator.allocate(preparedBytes + (tile * blockEntries + vectorFloats) * 4)
        let prepared = scratch.base
        let logits = (prepared + preparedBytes).assumingMemoryBound(to: Float.self)
        let expanded = logits + tile * blockEntries
        fold(blocks, state: state, visible: visible, rowTile: tile, allocator: allocator, kernels) {
            rows in
            keys.codec.prepare(
                queries + rows.lowerBound * keys.codec.dim, rows: rows.count, to: prepared,
                kernels: kernels)
        } weigh: { block, rows, seen, state, rescale in
            keys.codec.score(
                keys, block: block, prepared: prepared, rows: rows.count, logits: logits,
                kernels: kernels)
            let n = keys.entries(block: block)
            var vectors = vectors(block: block, scratch: expanded, kernels: kernels)
            var (scale, softcap) = (scale, softcap)
            if visible.start != nil {
                // What is too old leaves behind the softcap, which would make a number of it again.
                kernels.finishLogits(
                    logits, stride: blockEntries, rows: rows.count, n: n, visible: seen,
                    scale: scale, softcap: softcap, vectors: vectors)
                visible.hide(block, rows, in: logits)
                (vectors.logitBias, vectors.keyScale, scale, softcap) = (nil, nil, 1, 0)
            }
            kernels.softmaxFold(
                logits: logits, stride: blockEntries, rows: rows.count, n: n, visible: seen,
                scale: scale, softcap: softcap, vectors: vectors, state: state, rescale: rescale)
            return (logits, nil)
        }
        withExtendedLifetime(scratch) {}
    }

    /// The frame of every fold: tiles of query rows, and for each of them the blocks that one of them sees.
    ///
    /// `begin` starts a tile; `weigh` moves maxima and sums along a block and says what its values weigh.
    func fold(
        _ blocks: Range<Int>, state: FoldState, visible: Visible, rowTile tile: Int,
        allocator: Allocator, _ kernels: Kernels, begin: (Range<Int>) -> Void,
        weigh: (
            _ block: Int, _ rows: Range<Int>, _ seen: UnsafePointer<UInt32>, _ state: FoldState,
            _ rescale: UnsafeMutablePointer<Float>
        ) -> BlockWeights
    ) {
        // Values of another space are summed apart and mapped to the output's when a tile is done.
        let space = values.codec.valueSpace
        let apart = space == state.dim ? 0 : tile * space
        let scratch = allocator.buffer(Float.self, 2 * tile + apart)
        let rescale = scratch.pointer, sums = rescale + 2 * tile
        let seen = UnsafeMutableRawPointer(rescale + tile).assumingMemoryBound(to: UInt32.self)
        for first in stride(from: 0, to: state.rows, by: tile) {
            let rows = first..<min(first + tile, state.rows)
            let output = state.accumulator + first * state.dim
            if apart > 0 { sums.update(repeating: 0, count: rows.count * space) }
            let part = FoldState(
                maximum: state.maximum + first, sum: state.sum + first,
                accumulator: apart > 0 ? sums : output, rows: rows.count, dim: space)
            begin(rows)
            for block in blocks {
                guard see(block, rows, of: visible, to: seen) else { break }
                let (weights, indices) = weigh(block, rows, seen, part, rescale)
                values.codec.accumulate(
                    values, block: block, weights: weights, rescale: rescale, indices: indices,
                    state: part, kernels: kernels)
            }
            values.codec.finish(part.accumulator, rows: rows.count, to: output, kernels: kernels)
        }
        withExtendedLifetime(scratch) {}
    }

    /// How many entries of a block each row sees, those too old for it included; false when that is none for all of them, which then
    /// holds for later blocks, too.
    func see(
        _ block: Int, _ rows: Range<Int>, of visible: Visible,
        to seen: UnsafeMutablePointer<UInt32>
    ) -> Bool {
        let n = keys.entries(block: block)
        guard let end = visible.end else {
            seen.update(repeating: UInt32(n), count: rows.count)
            return true
        }
        var anySees = false
        for (index, row) in rows.enumerated() {
            let count = min(max(0, Int(end[row]) - block * blockEntries), n)
            seen[index] = UInt32(count)
            anySees = anySees || count > 0
        }
        return anySees
    }
}

/// The entries of a segment that each query row sees, counted from its start.
struct Visible: Sendable {
    /// The first that is not too old; nil: the segment's first.
    var start: [UInt32]?
    /// One behind the last; nil: all.
    var end: [UInt32]?

    /// Takes what is too old out of a block's logits, whose first row is that of `rows`.
    func hide(_ block: Int, _ rows: Range<Int>, in logits: UnsafeMutablePointer<Float>) {
        guard let start else { return }
        for (index, row) in rows.enumerated() {
            let old = min(max(0, Int(start[row]) - block * blockEntries), blockEntries)
            (logits + index * blockEntries).update(repeating: -.infinity, count: old)
        }
    }
}
