/// A codec behind a Hadamard rotation (QuaRot, arXiv 2404.00456): outliers of single channels spread over
/// the whole row before it is coded.
///
/// Queries are rotated with the keys, outputs back with the values. Random signs before the rotation make it
/// a random one (TurboQuant).
struct RotatedCodec: Codec {
    private let base: any Codec
    private let signs: [Float]?

    init(_ base: any Codec, signs: [Float]? = nil) {
        precondition(signs == nil || signs?.count == base.dim)
        self.base = base
        self.signs = signs
    }

    var configuration: CodecConfiguration {
        var configuration = base.configuration
        configuration.rotated = configuration.turboquant == nil
        return configuration
    }

    var dim: Int { base.dim }
    var entryMultiple: Int { base.entryMultiple }
    func allocatedBytes(_ count: Int) -> Int { base.allocatedBytes(count) }
    func storedBytes(_ count: Int) -> [Component: Int] { base.storedBytes(count) }
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>] {
        base.places(entries, of: total)
    }

    /// Prepared queries, and behind them those that they were made of, rotated.
    func preparedBytes(rows: Int) -> Int { rotatedOffset(rows) + rows * dim * 4 }
    private func rotatedOffset(_ rows: Int) -> Int {
        (base.preparedBytes(rows: rows) + 63) / 64 * 64
    }

    private func applySigns(_ rows: UnsafeMutablePointer<Float>, count: Int) {
        guard let signs else { return }
        for row in 0..<count {
            for element in 0..<dim { rows[row * dim + element] *= signs[element] }
        }
    }

    /// Rotates packed rows on their way to another place.
    private func rotate(
        _ rows: UnsafePointer<Float>, count: Int, to copy: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        guard signs != nil else { return kernels.hadamard(rows, count: count, dim: dim, to: copy) }
        copy.update(from: rows, count: count * dim)
        applySigns(copy, count: count)
        kernels.hadamard(copy, count: count, dim: dim)
    }

    /// Rows that are rotated at a time: they stay in the nearest cache until they are coded.
    private static let piece = 32

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        let most = min(count, max(Self.piece, entryMultiple))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, most * dim)) { room in
            let rotated = room.baseAddress!
            for start in stride(from: 0, to: count, by: max(1, most)) {
                let piece = min(most, count - start)
                rotate(rows + start * dim, count: piece, to: rotated, kernels: kernels)
                self.base.encode(
                    rotated, count: piece, first: first + start, of: total, to: base,
                    kernels: kernels)
            }
        }
    }

    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)
    {
        base.decode(store, block: block, to: rows, kernels: kernels)
        kernels.hadamard(rows, count: store.entries(block: block), dim: dim)
        applySigns(rows, count: store.entries(block: block))
    }

    func prepare(
        _ queries: UnsafePointer<Float>, rows: Int, to prepared: UnsafeMutableRawPointer,
        kernels: Kernels
    ) {
        let rotated = (prepared + rotatedOffset(rows)).assumingMemoryBound(to: Float.self)
        rotate(queries, count: rows, to: rotated, kernels: kernels)
        base.prepare(rotated, rows: rows, to: prepared, kernels: kernels)
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
        base.finish(accumulator, rows: rows, to: output, kernels: kernels)
        kernels.hadamard(output, count: rows, dim: dim)
        applySigns(output, count: rows)
    }
}
