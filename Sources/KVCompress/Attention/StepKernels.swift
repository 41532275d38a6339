/// The kernels of a session's decode step and nothing between them: what a step costs beside these is bookkeeping.
///
/// Every layer's segments are listed, queries packed and memory made once; `run` goes straight from codec to codec
/// on one thread. For benchmarks.
package final class StepKernels {
    private struct Head {
        let pieces: [(segment: Segment, blocks: Range<Int>)]
        let queries: [Float]
    }

    private let layers: [[Head]]
    private let kernels: Kernels
    private let scale: Float
    private let group: Int
    private let geometry: LayerGeometry
    private let seen: [UInt32]
    private let scratch: FoldScratch
    private let memory: Storage
    private let states: [FoldState]
    /// Outputs of the last layer, query heads x value dim.
    package let outputs: UnsafeMutableBufferPointer<Float>

    /// - Parameters:
    ///   - session: its layers are all of one shape; of a plan that reads all entries.
    ///   - queries: one row for every query head.
    package init(
        _ session: CacheSession, queries: [Rows], layers count: Int, instructionSet: InstructionSet
    ) {
        let views = (0..<count).map { session.layers[$0].view }
        geometry = views[0].geometry
        kernels = Kernels(instructionSet)
        scale = 1 / Float(geometry.keyDim).squareRoot()
        let heads = views[0].settled.heads.count, group = queries.count / heads
        self.group = group
        var shape = FoldScratch.Shape(rows: group, tile: group)
        layers = views.map { view in
            (0..<heads).map { head in
                var segments: [Segment] = []
                view.append(head, to: &segments)
                for segment in segments { shape.include(segment.keys.codec, segment.values.codec) }
                let pieces = segments.flatMap { segment in
                    stride(from: 0, to: segment.keys.blocks, by: LayerCache.rangeBlocks).map {
                        (segment, $0..<min($0 + LayerCache.rangeBlocks, segment.keys.blocks))
                    }
                }
                return Head(
                    pieces: pieces,
                    queries: (0..<group).flatMap { queries[head * group + $0].floats() })
            }
        }
        let most = layers.flatMap { $0.map(\.pieces.count) }.max() ?? 0
        let floats = FoldState.floats(rows: group, dim: geometry.valueDim)
        let dim = geometry.valueDim, outputCount = queries.count * dim
        memory = Storage(byteCount: shape.byteCount + (most * floats + outputCount) * 4) { _ in }
        let base = UnsafeMutableRawPointer(mutating: memory.base)
        scratch = FoldScratch(shape, at: base)
        let first = (base + shape.byteCount).assumingMemoryBound(to: Float.self)
        states = (0..<most).map {
            FoldState(adopting: first + $0 * floats, rows: group, dim: dim)
        }
        outputs = UnsafeMutableBufferPointer(start: first + most * floats, count: outputCount)
        seen = [UInt32](repeating: UInt32(blockEntries), count: group)
    }

    /// A step of every layer.
    package func run() {
        for layer in layers {
            for head in layer.indices { run(layer[head], head) }
        }
    }

    private func run(_ head: Head, _ index: Int) {
        for (place, piece) in head.pieces.enumerated() {
            let state = states[place], keys = piece.segment.keys, values = piece.segment.values
            let prepared = scratch.prepared(0..<group)
            state.clear()
            keys.codec.prepare(head.queries, rows: group, to: prepared, kernels: kernels)
            for block in piece.blocks {
                keys.codec.score(
                    keys, block: block, prepared: prepared, rows: group, logits: scratch.logits,
                    kernels: kernels)
                kernels.softmaxFold(
                    logits: scratch.logits, stride: blockEntries, rows: group,
                    n: keys.entries(block: block), visible: seen, scale: scale, softcap: 0,
                    vectors: piece.segment.vectors(
                        block: block, scratch: scratch.vectors, kernels: kernels),
                    state: state, rescale: scratch.rescale)
                values.codec.accumulate(
                    values, block: block, weights: scratch.logits, rescale: scratch.rescale,
                    indices: nil, state: state, kernels: kernels)
            }
            values.codec.finish(
                state.accumulator, rows: group, to: state.accumulator, kernels: kernels)
            if place > 0 { kernels.merge(states[0], state) }
        }
        kernels.finish(states[0], output: outputs.baseAddress! + index * group * geometry.valueDim)
    }
}
