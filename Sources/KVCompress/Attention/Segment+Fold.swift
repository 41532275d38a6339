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
        scale: Float, softcap: Float, scratch: FoldScratch, kernels: Kernels
    ) {
        let logits = scratch.logits
        fold(blocks, state: state, visible: visible, scratch: scratch, kernels) { rows in
            keys.codec.prepare(
                queries + rows.lowerBound * keys.codec.dim, rows: rows.count,
                to: scratch.prepared(rows), kernels: kernels)
        } weigh: { block, rows, state in
            keys.codec.score(
                keys, block: block, prepared: scratch.prepared(rows), rows: rows.count,
                logits: logits, kernels: kernels)
            let n = keys.entries(block: block)
            var vectors = vectors(block: block, scratch: scratch.vectors, kernels: kernels)
            var (scale, softcap) = (scale, softcap)
            if visible.start != nil {
                // What is too old leaves behind the softcap, which would make a number of it again.
                kernels.finishLogits(
                    logits, stride: blockEntries, rows: rows.count, n: n, visible: scratch.seen,
                    scale: scale, softcap: softcap, vectors: vectors)
                visible.hide(block, rows, in: logits)
                (vectors.logitBias, vectors.keyScale, scale, softcap) = (nil, nil, 1, 0)
            }
            kernels.softmaxFold(
                logits: logits, stride: blockEntries, rows: rows.count, n: n,
                visible: scratch.seen, scale: scale, softcap: softcap, vectors: vectors,
                state: state, rescale: scratch.rescale)
            return (logits, nil)
        }
    }

    /// The frame of every fold: blocks, and for each of them the tiles of query rows, so that a block comes from
    /// memory once for all rows.
    ///
    /// `begin` starts a tile; `weigh` moves maxima and sums along a block and says what its values weigh. What
    /// each row sees of the block and what to rescale its sums with are in the scratch.
    func fold(
        _ blocks: Range<Int>, state: FoldState, visible: Visible, scratch: FoldScratch,
        _ kernels: Kernels, begin: (Range<Int>) -> Void,
        weigh: (_ block: Int, _ rows: Range<Int>, _ state: FoldState) -> BlockWeights
    ) {
        // Values of another space are summed apart and mapped to the output's in the end.
        let space = values.codec.valueSpace, isApart = space != state.dim
        let part = isApart ? state.summing(scratch.sums, dim: space) : state
        forEachTile(of: state.rows, scratch.tile, begin)
        for block in blocks {
            var isSeen = false
            forEachTile(of: state.rows, scratch.tile) { rows in
                guard see(block, rows, of: visible, to: scratch.seen) else { return }
                isSeen = true
                let (weights, indices) = weigh(block, rows, part[rows])
                values.codec.accumulate(
                    values, block: block, weights: weights, rescale: scratch.rescale,
                    indices: indices, state: part[rows], kernels: kernels)
            }
            guard isSeen else { break }
        }
        values.codec.finish(
            part.accumulator, rows: state.rows, to: state.accumulator, kernels: kernels)
    }

    private func forEachTile(of rows: Int, _ tile: Int, _ body: (Range<Int>) -> Void) {
        for first in stride(from: 0, to: rows, by: tile) { body(first..<min(first + tile, rows)) }
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
struct Visible {
    /// The first that is not too old; nil: the segment's first.
    var start: UnsafePointer<UInt32>?
    /// One behind the last; nil: all.
    var end: UnsafePointer<UInt32>?

    /// Takes what is too old out of a block's logits, whose first row is that of `rows`.
    func hide(_ block: Int, _ rows: Range<Int>, in logits: UnsafeMutablePointer<Float>) {
        guard let start else { return }
        for (index, row) in rows.enumerated() {
            let old = min(max(0, Int(start[row]) - block * blockEntries), blockEntries)
            (logits + index * blockEntries).update(repeating: -.infinity, count: old)
        }
    }
}
