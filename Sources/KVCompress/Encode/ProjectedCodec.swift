/// A codec behind a stored basis: what it encodes are the rows' coefficients.
///
/// Queries are mapped once per fold, and sums of values once behind it; in between attention runs over
/// `rank` elements.
struct ProjectedCodec: Codec {
    private let base: any Codec
    private let map: Basis

    init(_ base: any Codec, basis: Basis) {
        precondition(base.dim == basis.rank)
        self.base = base
        map = basis
    }

    var configuration: CodecConfiguration { base.configuration }
    var bases: [Basis] { [map] + base.bases }
    var dim: Int { map.dim }
    var valueSpace: Int { map.rank }
    var entryMultiple: Int { base.entryMultiple }
    func allocatedBytes(_ count: Int) -> Int { base.allocatedBytes(count) }
    func storedBytes(_ count: Int) -> [Component: Int] { base.storedBytes(count) }
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>] {
        base.places(entries, of: total)
    }

    /// Prepared coefficients, and behind them those that they were made of.
    func preparedBytes(rows: Int) -> Int { projectedOffset(rows) + rows * map.rank * 4 }
    private func projectedOffset(_ rows: Int) -> Int {
        (base.preparedBytes(rows: rows) + 63) / 64 * 64
    }

    /// Scratch of so many floats.
    private func withScratch(_ floats: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, floats)) {
            body($0.baseAddress!)
        }
    }

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        withScratch(count * map.rank) { stored in
            map.encode(rows, count: count, to: stored, kernels: kernels)
            self.base.encode(
                stored, count: count, first: first, of: total, to: base, kernels: kernels)
        }
    }

    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)
    {
        let count = store.entries(block: block)
        withScratch(count * map.rank) { stored in
            base.decode(store, block: block, to: stored, kernels: kernels)
            map.decode(stored, count: count, to: rows, kernels: kernels)
        }
    }

    func prepare(
        _ queries: UnsafePointer<Float>, rows: Int, to prepared: UnsafeMutableRawPointer,
        kernels: Kernels
    ) {
        let projected = (prepared + projectedOffset(rows)).assumingMemoryBound(to: Float.self)
        map.project(queries, count: rows, to: projected, kernels: kernels)
        base.prepare(projected, rows: rows, to: prepared, kernels: kernels)
    }

    func score(
        _ store: Store, block: Int, prepared: UnsafeRawPointer, rows: Int,
        logits: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        base.score(
            store, block: block, prepared: prepared, rows: rows, logits: logits, kernels: kernels)
    }

    func accumulate(
        _ store: Store, block: Int, weights: UnsafePointer<Float>, rescale: UnsafePointer<Float>,
        indices: UnsafeBufferPointer<UInt32>?, state: FoldState, kernels: Kernels
    ) {
        base.accumulate(
            store, block: block, weights: weights, rescale: rescale, indices: indices, state: state,
            kernels: kernels)
    }

    func finish(
        _ accumulator: UnsafeMutablePointer<Float>, rows: Int,
        to output: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        base.finish(accumulator, rows: rows, to: accumulator, kernels: kernels)
        guard map.rank == dim else {
            map.decode(accumulator, count: rows, to: output, kernels: kernels)
            return
        }
        // The output lies where the accumulator is.
        withScratch(rows * map.rank) { stored in
            stored.update(from: accumulator, count: rows * map.rank)
            map.decode(stored, count: rows, to: output, kernels: kernels)
        }
    }
}
