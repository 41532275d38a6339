/// Attention in two phases: every entry is scored, some are chosen, and the same blocks are folded again in
/// the same pieces. Where all are chosen, the bits are those of a single phase.
extension Segment {
    /// The first phase: writes the logits of blocks as a softmax sees them.
    func score(
        _ blocks: Range<Int>, queries: UnsafePointer<Float>, visible: Visible, scale: Float,
        softcap: Float, choice: EntryChoice.Part, scratch: FoldScratch, kernels: Kernels
    ) {
        for first in stride(from: 0, to: choice.rows, by: scratch.tile) {
            let rows = first..<min(first + scratch.tile, choice.rows)
            keys.codec.prepare(
                queries + first * keys.codec.dim, rows: rows.count, to: scratch.prepared(rows),
                kernels: kernels)
            for block in blocks {
                let logits = choice.logits(block: block, row: first)
                var n = 0
                if see(block, rows, of: visible, to: scratch.seen) {
                    n = keys.entries(block: block)
                    keys.codec.score(
                        keys, block: block, prepared: scratch.prepared(rows),
                        rows: rows.count, logits: logits, kernels: kernels)
                    kernels.finishLogits(
                        logits, stride: blockEntries, rows: rows.count, n: n,
                        visible: scratch.seen, scale: scale, softcap: softcap,
                        vectors: vectors(block: block, scratch: scratch.vectors, kernels: kernels))
                    visible.hide(block, rows, in: logits)
                }
                for row in 0..<(n < blockEntries ? rows.count : 0) {
                    (logits + row * blockEntries + n).update(
                        repeating: -.infinity, count: blockEntries - n)
                }
            }
        }
    }

    /// The second phase: folds the values of what was chosen; logits become weights where they stand.
    func fold(
        _ blocks: Range<Int>, state: FoldState, visible: Visible, choice: EntryChoice.Part,
        scratch: FoldScratch, kernels: Kernels
    ) {
        fold(blocks, state: state, visible: visible, scratch: scratch, kernels) { _ in
        } weigh: { block, rows, state in
            let n = keys.entries(block: block)
            let logits = choice.logits(block: block, row: rows.lowerBound)
            let mask = choice.mask(block: block, rows: rows)
            /// Writes a number for what a row does not read, as far as somebody looks at it.
            func leaveOut(_ number: Float, of looked: UInt64) {
                for row in rows {
                    let place = logits + (row - rows.lowerBound) * blockEntries
                    let own = choice.mask(block: block, row: row)
                    forEachBit(of: looked & ~own) { place[$0] = number }
                }
            }
            if choice.renormalizes { leaveOut(-.infinity, of: .all(n)) }
            var vectors = vectors(block: block, scratch: scratch.vectors, kernels: kernels)
            (vectors.logitBias, vectors.keyScale) = (nil, nil)
            kernels.softmaxFold(
                logits: logits, stride: blockEntries, rows: rows.count, n: n,
                visible: scratch.seen, scale: 1, softcap: 0, vectors: vectors, state: state,
                rescale: scratch.rescale)
            if !choice.renormalizes { leaveOut(0, of: mask) }
            if mask == .all(n) { return (logits, nil) }
            var count = 0
            forEachBit(of: mask) { index in
                scratch.list[count] = UInt32(index)
                count += 1
            }
            // Where nothing is read sums are rescaled all the same: the list is empty, not nil.
            return (logits, UnsafeBufferPointer(start: scratch.list, count: count))
        }
    }
}

/// Calls the body with the bits that are set, ascending.
func forEachBit(of mask: UInt64, _ body: (Int) -> Void) {
    var rest = mask
    while rest != 0 {
        body(rest.trailingZeroBitCount)
        rest &= rest - 1
    }
}
