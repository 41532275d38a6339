/// Attention in two phases: every entry is scored, some are chosen, and the same blocks are folded again in
/// the same pieces. Where all are chosen, the bits are those of a single phase.
extension Segment {
    /// The first phase: writes the logits of blocks as a softmax sees them.
    func score(
        _ blocks: Range<Int>, queries: UnsafePointer<Float>, visible: Visible, scale: Float,
        softcap: Float, rowTile: Int, choice: EntryChoice, head: Int, segment: Int,
        allocator: Allocator, kernels: Kernels
    ) {
        let tile = min(rowTile, choice.rows)
        let preparedBytes = (keys.codec.preparedBytes(rows: tile) + 63) / 64 * 64
        let scratch = allocator.allocate(preparedBytes + (tile + vectorFloats) * 4)
        let prepared = scratch.base
        let expanded = (prepared + preparedBytes).assumingMemoryBound(to: Float.self)
        let seen = UnsafeMutableRawPointer(expanded + vectorFloats)
            .assumingMemoryBound(to: UInt32.self)
        for first in stride(from: 0, to: choice.rows, by: tile) {
            let rows = first..<min(first + tile, choice.rows)
            keys.codec.prepare(
                queries + first * keys.codec.dim, rows: rows.count, to: prepared, kernels: kernels)
            for block in blocks {
                guard see(block, rows, of: visible, to: seen) else { break }
                let logits = choice.logits(head: head, segment: segment, block: block, row: first)
                keys.codec.score(
                    keys, block: block, prepared: prepared, rows: rows.count, logits: logits,
                    kernels: kernels)
                kernels.finishLogits(
                    logits, stride: blockEntries, rows: rows.count,
                    n: keys.entries(block: block), visible: seen, scale: scale, softcap: softcap,
                    vectors: vectors(block: block, scratch: expanded, kernels: kernels))
                visible.hide(block, rows, in: logits)
            }
        }
        withExtendedLifetime(scratch) {}
    }

    /// The second phase: folds the values of what was chosen; logits become weights where they stand.
    ///
    /// - Parameter renormalizes: whether what was not chosen is left out of the sums, too.
    func fold(
        _ blocks: Range<Int>, state: FoldState, visible: Visible, rowTile: Int,
        choice: EntryChoice, renormalizes: Bool, head: Int, segment: Int, allocator: Allocator,
        kernels: Kernels
    ) {
        let tile = min(rowTile, state.rows)
        let expanded = allocator.buffer(Float.self, vectorFloats)
        let list = allocator.buffer(UInt32.self, blockEntries)
        fold(blocks, state: state, visible: visible, rowTile: tile, allocator: allocator, kernels) {
            _ in
        } weigh: { block, rows, seen, state, rescale in
            let n = keys.entries(block: block)
            let logits = choice.logits(
                head: head, segment: segment, block: block, row: rows.lowerBound)
            func leaveOut(_ number: Float) {
                for row in rows {
                    let place = logits + (row - rows.lowerBound) * blockEntries
                    let mask = choice.mask(head: head, segment: segment, block: block, row: row)
                    forEachBit(of: ~mask & .all(n)) { place[$0] = number }
                }
            }
            if renormalizes { leaveOut(-.infinity) }
            var vectors = vectors(block: block, scratch: expanded.pointer, kernels: kernels)
            (vectors.logitBias, vectors.keyScale) = (nil, nil)
            kernels.softmaxFold(
                logits: logits, stride: blockEntries, rows: rows.count, n: n, visible: seen,
                scale: 1, softcap: 0, vectors: vectors, state: state, rescale: rescale)
            if !renormalizes { leaveOut(0) }
            let mask = choice.mask(head: head, segment: segment, block: block, rows: rows)
            if mask == .all(n) { return (logits, nil) }
            var count = 0
            forEachBit(of: mask) { index in
                list.pointer[count] = UInt32(index)
                count += 1
            }
            // Where nothing is read sums are rescaled all the same: the list is empty, not nil.
            return (logits, UnsafeBufferPointer(start: list.pointer, count: count))
        }
        withExtendedLifetime((expanded, list)) {}
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
