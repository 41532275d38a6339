/// Attention over layers of caches, in memory that is kept from call to call.
///
/// A call works in pieces: ranges of a segment's blocks, each folded from an empty state for all query rows of
/// a kv head. What the pieces are depends on the segments alone, and they are merged in order, so results do not
/// depend on the threads. Used by one caller at a time.
final class Attention: @unchecked Sendable {
    /// Query rows that share one pass over a block's keys: their logits stay in the first-level cache.
    private static let rowTile = 64

    /// Query rows that are folded at a time: it bounds the memory of their states.
    private static let rowChunk = 512

    /// Bytes that the logits of a chunk may take where entries are chosen by them.
    private static let choiceBytes = 64 << 20

    /// One piece of work.
    private struct Piece {
        let head: Int
        /// The segment's place among those of all heads.
        let segment: Int
        let blocks: Range<Int>
    }

    /// What all pieces work on: some query tokens, and the memory for them.
    private struct Chunk: @unchecked Sendable {
        /// Query rows of a kv head.
        let rows: Int
        let group: Int
        let geometry: LayerGeometry
        let scale: Float
        let softcap: Float
        let kernels: Kernels
        let shape: FoldScratch.Shape
        let queries: UnsafeMutablePointer<Float>
        let states: UnsafeMutablePointer<Float>
        let scratch: UnsafeMutablePointer<UInt8>
        /// Per segment and row, one behind the last entry that it sees; nil: all are seen.
        var ends: UnsafeMutablePointer<UInt32>?
        /// Per segment and row, the first entry that is not too old; nil: none is.
        var starts: UnsafeMutablePointer<UInt32>?

        func queries(_ head: Int) -> UnsafePointer<Float> {
            UnsafePointer(queries + head * rows * geometry.keyDim)
        }

        func state(_ piece: Int) -> FoldState {
            FoldState(
                adopting: states + piece * FoldState.floats(rows: rows, dim: geometry.valueDim),
                rows: rows, dim: geometry.valueDim)
        }

        func visible(_ piece: Piece) -> Visible {
            Visible(
                start: starts.map { UnsafePointer($0 + piece.segment * rows) },
                end: ends.map { UnsafePointer($0 + piece.segment * rows) })
        }

        func scratch(_ thread: Int) -> FoldScratch {
            FoldScratch(shape, at: scratch + thread * shape.byteCount)
        }
    }

    private let allocator: Allocator
    private var queries = Scratch<Float>()
    private var states = Scratch<Float>()
    private var seen = Scratch<UInt32>()
    private var scratch = Scratch<UInt8>()
    private var choices = EntryChoice.Memory()
    // Of the call at hand. One caller writes them before the threads read them: checking every access would cost a
    // tenth of a small step.
    @exclusivity(unchecked) private var segments: [Segment] = []
    @exclusivity(unchecked) private var pieces: [Piece] = []
    @exclusivity(unchecked) private var chunk: Chunk?
    @exclusivity(unchecked) private var choice: EntryChoice?

    init(allocator: Allocator) { self.allocator = allocator }

    /// Bytes that are held between calls.
    var heldBytes: Int {
        queries.byteCount + states.byteCount + seen.byteCount + scratch.byteCount
            + choices.byteCount
    }

    /// Attention of every query head over the entries of its kv head.
    ///
    /// Keys and values are read once per kv head and tile of 64 query rows (tokens x group).
    /// - Parameter turn: what is done to the queries before.
    func attend(
        _ queries: some HeadRows, to layer: LayerView, options: AttentionOptions,
        turn: Turn? = nil, into outputs: OutputBlock
    ) throws(CompressionError) {
        let group = try layer.checkedGroup(of: queries, options)
        var layer = layer, step = Self.rowChunk / group
        if layer.settled.placement != nil {
            // Who chooses sees segments alone.
            layer = LayerView(settled: layer.cache)
            let bytes = EntryChoice.bytes(layer.settled, group: group)
            step = max(1, min(step, Self.choiceBytes / max(1, bytes)))
        }
        listPieces(of: layer)
        defer {
            segments.removeAll(keepingCapacity: true)
            choice = nil
        }
        for first in stride(from: 0, to: outputs.tokens, by: step) {
            let tokens = first..<min(first + step, outputs.tokens)
            let chunk = prepare(queries, tokens, of: layer.geometry, group, options, turn)
            self.chunk = chunk
            if let placement = layer.settled.placement {
                choose(by: placement, chunk, of: layer.settled, workers: options.workers)
            }
            if let statistics = options.statistics {
                statistics.add(
                    layer.cache, choice, tokens: tokens.count, group: group, rowTile: Self.rowTile)
            }
            options.workers.run(pieces.count, byThread: { self.fold($0, thread: $1) })
            merge(chunk, into: outputs, tokens)
        }
    }

    /// Lists the segments and the pieces of them.
    private func listPieces(of layer: LayerView) {
        pieces.removeAll(keepingCapacity: true)
        for head in layer.settled.heads.indices {
            let first = segments.count
            layer.append(head, to: &segments)
            for segment in first..<segments.count {
                let blocks = segments[segment].keys.blocks
                for first in stride(from: 0, to: blocks, by: LayerCache.rangeBlocks) {
                    let range = first..<min(first + LayerCache.rangeBlocks, blocks)
                    pieces.append(Piece(head: head, segment: segment, blocks: range))
                }
            }
        }
    }

    /// Makes memory for the pieces, packs the queries and finds what they see.
    private func prepare(
        _ rows: some HeadRows, _ tokens: Range<Int>, of geometry: LayerGeometry, _ group: Int,
        _ options: AttentionOptions, _ turn: Turn?
    ) -> Chunk {
        let n = tokens.count
        var shape = FoldScratch.Shape(tile: min(Self.rowTile, n * group))
        for segment in segments.indices {
            shape.include(segments[segment].keys.codec, segments[segment].values.codec)
        }
        let stateFloats = FoldState.floats(rows: n * group, dim: geometry.valueDim)
        let queryFloats = rows.count * n * geometry.keyDim
        var chunk = Chunk(
            rows: n * group, group: group, geometry: geometry,
            scale: options.scale ?? 1 / Float(geometry.keyDim).squareRoot(),
            softcap: options.softcap, kernels: Kernels(options.instructionSet), shape: shape,
            queries: queries.room(queryFloats, from: allocator),
            states: states.room(pieces.count * stateFloats, from: allocator),
            scratch: scratch.room(options.workers.threads * shape.byteCount, from: allocator))
        for head in 0..<rows.count {
            chunk.kernels.convert(
                rows.head(head)[tokens], to: chunk.queries + head * n * geometry.keyDim)
        }
        turn?.apply(
            to: chunk.queries, count: rows.count * n, dim: geometry.keyDim, kernels: chunk.kernels)
        if options.isCausal { see(tokens, options, in: &chunk) }
        return chunk
    }

    /// Finds what each row sees of each segment.
    private func see(_ tokens: Range<Int>, _ options: AttentionOptions, in chunk: inout Chunk) {
        let rows = chunk.rows, all = segments.count * rows
        let ends = seen.room(2 * all, from: allocator), starts = ends + all
        chunk.ends = ends
        if options.slidingWindow != nil { chunk.starts = starts }
        for segment in segments.indices {
            let entries = segments[segment].count
            let positions = segments[segment].positions
            for token in tokens {
                let position = options.position(token)
                let end = positions.count(upTo: position, of: entries)
                let start = options.slidingWindow.map {
                    positions.count(
                        upTo: position - Int32(clamping: $0), of: entries)
                }
                let first = segment * rows + token - tokens.lowerBound
                for row in stride(from: first, to: (segment + 1) * rows, by: tokens.count) {
                    ends[row] = UInt32(end)
                    if let start { starts[row] = UInt32(start) }
                }
            }
        }
    }

    /// The first of two phases where entries are chosen: every logit, and what the placement makes of them.
    private func choose(
        by placement: any Placement, _ chunk: Chunk, of layer: LayerCache, workers: Workers
    ) {
        let choice = EntryChoice(
            layer, tokens: chunk.rows / chunk.group, group: chunk.group,
            renormalizes: placement.renormalizes, in: &choices, allocator: allocator,
            kernels: chunk.kernels)
        workers.run(
            pieces.count,
            byThread: { [self] index, thread in
                let piece = pieces[index]
                segments[piece.segment].score(
                    piece.blocks, queries: chunk.queries(piece.head), visible: chunk.visible(piece),
                    scale: chunk.scale, softcap: chunk.softcap,
                    choice: choice.part(piece.segment), scratch: chunk.scratch(thread),
                    kernels: chunk.kernels)
            })
        placement.choose(choice, workers: workers)
        if placement.mapsValues { choice.prefetchValues(workers: workers) }
        self.choice = choice
    }

    /// Folds a piece.
    private func fold(_ index: Int, thread: Int) {
        let piece = pieces[index], chunk = chunk!
        let state = chunk.state(index)
        state.clear()
        if let choice {
            segments[piece.segment].fold(
                piece.blocks, state: state, visible: chunk.visible(piece),
                choice: choice.part(piece.segment), scratch: chunk.scratch(thread),
                kernels: chunk.kernels)
        } else {
            segments[piece.segment].fold(
                piece.blocks, queries: chunk.queries(piece.head), state: state,
                visible: chunk.visible(piece), scale: chunk.scale, softcap: chunk.softcap,
                scratch: chunk.scratch(thread), kernels: chunk.kernels)
        }
    }

    /// Merges the pieces of each head in order and divides.
    private func merge(_ chunk: Chunk, into outputs: OutputBlock, _ tokens: Range<Int>) {
        var next = 0
        for head in 0..<outputs.heads / chunk.group {
            let first = next
            while next < pieces.count, pieces[next].head == head {
                if next > first { chunk.kernels.merge(chunk.state(first), chunk.state(next)) }
                next += 1
            }
            // Rows that follow each other in memory are written at once.
            let run =
                outputs.tokensFirst ? 1 : outputs.tokens == tokens.count ? chunk.rows : tokens.count
            for row in stride(from: 0, to: chunk.rows, by: run) {
                let (member, token) = row.quotientAndRemainder(dividingBy: tokens.count)
                let output = outputs.row(head * chunk.group + member, tokens.lowerBound + token)
                if next > first {
                    chunk.kernels.finish(chunk.state(first)[row..<row + run], output: output)
                } else {
                    // A head without entries attends to nothing and gives zeros.
                    output.update(repeating: 0, count: run * outputs.dim)
                }
            }
        }
    }
}

extension LayerView {
    /// Query heads per kv head, once it is known that the queries fit.
    fileprivate func checkedGroup(
        of queries: some HeadRows, _ options: AttentionOptions
    ) throws(CompressionError) -> Int {
        let heads = settled.heads.count
        guard queries.count > 0, queries.count % heads == 0 else {
            throw CompressionError(
                .layer, "\(queries.count) query heads are no multiple of \(heads) kv heads")
        }
        guard queries.count / heads <= 16 else {
            throw CompressionError(
                .layer,
                "\(queries.count / heads) query heads per kv head; at most 16 are supported")
        }
        let n = queries.head(0).count
        for head in 0..<queries.count {
            let rows = queries.head(head)
            guard rows.dim == geometry.keyDim else {
                throw CompressionError(
                    .layer,
                    "query head \(head) has head dim \(rows.dim), the keys have \(geometry.keyDim)")
            }
            guard rows.count == n else {
                throw CompressionError(
                    .layer, "query head \(head) has \(rows.count) rows, head 0 has \(n)")
            }
        }
        if let positions = options.positions, positions.count != n {
            throw CompressionError(.layer, "\(positions.count) positions for \(n) query rows")
        }
        return queries.count / heads
    }
}

extension LayerCache {
    /// Entries that one piece of work folds from an empty state.
    ///
    /// The partition of a head depends on nothing else, so neither do the results.
    static let rangeBlocks = 32

    /// Attention of every query head over the entries of its kv head.
    ///
    /// - Returns: per query head `n x valueDim` outputs, packed.
    func attend(
        _ queries: [Rows], options: AttentionOptions, allocator: Allocator
    ) throws(CompressionError) -> [[Float]] {
        let n = queries.first?.count ?? 0, dim = geometry.valueDim
        return try [[Float]](heads: queries.count, rows: n, dim: dim) {
            outputs throws(CompressionError) in
            try Attention(allocator: allocator).attend(
                queries, to: LayerView(settled: self), options: options, into: outputs)
        }
    }
}

extension [[Float]] {
    /// Per head packed rows, from a body that writes them into one piece of memory.
    init(
        heads: Int, rows: Int, dim: Int,
        writtenBy body: (OutputBlock) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        let room = UnsafeMutablePointer<Float>.allocate(capacity: heads * rows * dim)
        defer { room.deallocate() }
        try body(
            OutputBlock(room, heads: heads, tokens: rows, dim: dim, tokensFirst: false))
        self = (0..<heads).map { head in
            Array<Float>(UnsafeBufferPointer(start: room + head * rows * dim, count: rows * dim))
        }
    }
}
