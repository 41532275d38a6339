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
    func preparedBytes(rows: Int) -> Int { base.preparedBytes(rows: rows) }

    private func applySigns(_ rows: UnsafeMutablePointer<Float>, count: Int) {
        guard let signs else { return }
        for row in 0..<count {
            for element in 0..<dim { rows[row * dim + element] *= signs[element] }
        }
    }

    private func withRotated(
        _ rows: UnsafePointer<Float>, count: Int, kernels: Kernels,
        _ body: (UnsafePointer<Float>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, count * dim)) { copy in
            let start = copy.baseAddress!
            start.update(from: rows, count: count * dim)
            applySigns(start, count: count)
            kernels.hadamard(start, count: count, dim: dim)
            body(start)
        }
    }

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        withRotated(rows, count: count, kernels: kernels) {
            self.base.encode($0, count: count, first: first, of: total, to: base, kernels: kernels)
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
        withRotated(queries, count: rows, kernels: kernels) {
            base.prepare($0, rows: rows, to: prepared, kernels: kernels)
        }
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
