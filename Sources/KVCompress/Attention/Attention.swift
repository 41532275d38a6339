/// Attention over layers of caches, in memory that is kept from call to call.
///
/// A call works in pieces: ranges of a segment's blocks, each folded from an empty state for all query rows of
/// a kv head. What the pieces are depends on the segments alone, and they are merged in order, so results do not
/// depend on the threads. Used by one caller at a time.
final class Attention: @unchecked Sendable {
    /// Query rows that share one pass over a block's keys: their logits stay in the first-level cache.
    private static let rowTile = 128

    /// Query rows of a kv head that are folded at a time: with their states they stay in the second-level cache.
    private static let rowChunk = 512

    /// Bytes that the logits of a chunk may take where entries are chosen by them.
    private static let choiceBytes = 64 << 20

    private let allocator: Allocator
    private var memory = Scratch<UInt8>()
    private var choices = EntryChoice.Memory()
    // Of the call at hand. One caller writes them before the threads read them: checking every access would cost a
    // tenth of a small step.
    @exclusivity(unchecked) private var segments: [Segment] = []
    @exclusivity(unchecked) private var pieces: [AttentionPiece] = []
    /// Per kv head where its segments and pieces begin, and where the last one's end.
    @exclusivity(unchecked) private var bounds: [(segment: Int, piece: Int)] = []
    @exclusivity(unchecked) private var base = UnsafeMutableRawPointer(bitPattern: 64)!
    @exclusivity(unchecked) private var foldShape = FoldScratch.Shape(rows: 1, tile: 1)
    @exclusivity(unchecked) private var chunk: QueryChunk?
    @exclusivity(unchecked) private var choice: EntryChoice?

    init(allocator: Allocator) { self.allocator = allocator }

    /// Bytes that are held between calls.
    var heldBytes: Int { memory.byteCount + choices.byteCount }

    /// Attention of every query head over the entries of its kv head.
    ///
    /// Keys and values are read once per kv head and chunk of 512 query rows (tokens x group).
    /// - Parameter turn: what is done to the queries before.
    func attend(
        _ queries: some HeadRows, to layer: LayerView, options: AttentionOptions,
        turn: Turn? = nil, into outputs: OutputBlock
    ) throws(CompressionError) {
        let group = try layer.checkedGroup(of: queries, options)
        let call = RowsCall(
            queries: queries, group: group, options: options, turn: turn, outputs: outputs)
        var layer = layer, step = Self.rowChunk / group
        if layer.settled.placement != nil {
            // Who chooses sees segments alone.
            layer = LayerView(settled: layer.cache)
            let bytes = EntryChoice.bytes(layer.settled, group: group)
            step = max(1, min(step, Self.choiceBytes / max(1, bytes)))
        }
        list(layer)
        defer {
            segments.removeAll(keepingCapacity: true)
            choice = nil
        }
        let starts = stride(from: 0, to: outputs.tokens, by: step)
        let items = (bounds.count - 1) * ((outputs.tokens + step - 1) / step)
        if layer.settled.placement == nil, outputs.tokens > step,
            items >= 4 * options.workers.threads
        {
            attendApart(
                call, layer, starts.map { $0..<min($0 + step, outputs.tokens) })
        } else {
            for first in starts {
                attendTogether(call, layer, first..<min(first + step, outputs.tokens))
            }
        }
    }

    /// Lists the segments and the pieces of them.
    private func list(_ layer: LayerView) {
        pieces.removeAll(keepingCapacity: true)
        bounds.removeAll(keepingCapacity: true)
        for head in layer.settled.heads.indices {
            let first = segments.count
            bounds.append((first, pieces.count))
            layer.append(head, to: &segments)
            for segment in first..<segments.count {
                let blocks = segments[segment].keys.blocks
                for first in stride(from: 0, to: blocks, by: LayerCache.rangeBlocks) {
                    let range = first..<min(first + LayerCache.rangeBlocks, blocks)
                    pieces.append(AttentionPiece(head: head, segment: segment, blocks: range))
                }
            }
        }
        bounds.append((segments.count, pieces.count))
    }

    /// What a thread needs to fold so many rows.
    private func foldShape(rows: Int) -> FoldScratch.Shape {
        var shape = FoldScratch.Shape(rows: rows, tile: Self.rowTile)
        segments.withUnsafeBufferPointer { segments in
            for segment in segments.indices {
                shape.include(segments[segment].keys.codec, segments[segment].values.codec)
            }
        }
        return shape
    }

    private func count(
        _ tokens: Range<Int>, _ layer: LayerView, _ call: some AttentionCall
    ) {
        guard let statistics = call.options.statistics else { return }
        statistics.add(
            layer.cache, choice, tokens: tokens.count, group: call.group, rowTile: Self.rowTile)
    }

    // MARK: All heads together: the pieces of a chunk are shared out among the threads

    private func attendTogether(
        _ call: some AttentionCall, _ layer: LayerView, _ tokens: Range<Int>
    ) {
        let workers = call.options.workers, heads = bounds.count - 1
        let shape = QueryChunk.Shape(
            heads: heads, segments: segments.count, states: pieces.count,
            rows: tokens.count * call.group, geometry: layer.geometry)
        foldShape = foldShape(rows: shape.rows)
        base = UnsafeMutableRawPointer(
            memory.room(
                shape.byteCount + workers.threads * foldShape.byteCount, from: allocator))
        let chunk = QueryChunk(
            shape, at: base, of: call, heads: 0..<heads, tokens: tokens, segments: segments[...])
        base += shape.byteCount
        self.chunk = chunk
        if let placement = layer.settled.placement {
            choose(by: placement, chunk, of: layer.settled, group: call.group, workers: workers)
        }
        count(tokens, layer, call)
        workers.run(
            pieces.count,
            byThread: {
                self.fold(self.pieces[$0], in: self.chunk!, self.chunk!.state($0), self.scratch($1))
            })
        for head in 0..<heads {
            let own = bounds[head].piece..<bounds[head + 1].piece
            for piece in own.dropFirst() {
                chunk.kernels.merge(chunk.state(own.lowerBound), chunk.state(piece))
            }
            call.finish(
                own.isEmpty ? nil : chunk.state(own.lowerBound), head: head, tokens: tokens,
                chunk.kernels)
        }
    }

    private func scratch(_ thread: Int) -> FoldScratch {
        FoldScratch(foldShape, at: base + thread * foldShape.byteCount)
    }

    /// The first of two phases where entries are chosen: every logit, and what the placement makes of them.
    private func choose(
        by placement: any Placement, _ chunk: QueryChunk, of layer: LayerCache, group: Int,
        workers: Workers
    ) {
        let choice = EntryChoice(
            layer, tokens: chunk.tokens.count, group: group,
            renormalizes: placement.renormalizes, in: &choices, allocator: allocator,
            kernels: chunk.kernels)
        workers.run(
            pieces.count,
            byThread: { [self] index, thread in
                let piece = pieces[index]
                segments[piece.segment].score(
                    piece.blocks, queries: chunk.queries(piece.head), visible: chunk.visible(piece),
                    scale: chunk.scale, softcap: chunk.softcap,
                    choice: choice.part(piece.segment), scratch: scratch(thread),
                    kernels: chunk.kernels)
            })
        placement.choose(choice, workers: workers)
        if placement.mapsValues { choice.prefetchValues(workers: workers) }
        self.choice = choice
    }

    /// Folds a piece.
    private func fold(
        _ piece: AttentionPiece, in chunk: QueryChunk, _ state: FoldState, _ scratch: FoldScratch
    ) {
        state.clear()
        // Where it lies: a copy of a segment would count its references.
        segments.withUnsafeBufferPointer { segments in
            if let choice {
                segments[piece.segment].fold(
                    piece.blocks, state: state, visible: chunk.visible(piece),
                    choice: choice.part(piece.segment), scratch: scratch, kernels: chunk.kernels)
            } else {
                segments[piece.segment].fold(
                    piece.blocks, queries: chunk.queries(piece.head), state: state,
                    visible: chunk.visible(piece), scale: chunk.scale, softcap: chunk.softcap,
                    scratch: scratch, kernels: chunk.kernels)
            }
        }
    }

    // MARK: Heads and chunks apart: of a prompt, a thread takes the rows of a kv head from queries to outputs

    private func attendApart(
        _ call: some AttentionCall, _ layer: LayerView, _ chunks: [Range<Int>]
    ) {
        let workers = call.options.workers, heads = bounds.count - 1, geometry = layer.geometry
        let most = (0..<heads).map { bounds[$0 + 1].segment - bounds[$0].segment }.max()!
        let rows = chunks[0].count * call.group
        let room = QueryChunk.Shape(
            heads: 1, segments: most, states: 2, rows: rows, geometry: geometry
        ).byteCount
        foldShape = foldShape(rows: rows)
        let each = room + foldShape.byteCount
        base = UnsafeMutableRawPointer(memory.room(workers.threads * each, from: allocator))
        for tokens in chunks { count(tokens, layer, call) }
        workers.run(
            heads * chunks.count,
            byThread: { [self] index, thread in
                let (head, number) = index.quotientAndRemainder(dividingBy: chunks.count)
                let tokens = chunks[number], base = base + thread * each
                let chunk = QueryChunk(
                    QueryChunk.Shape(
                        heads: 1, segments: most, states: 2, rows: tokens.count * call.group,
                        geometry: geometry),
                    at: base, of: call, heads: head..<head + 1, tokens: tokens,
                    segments: segments[bounds[head].segment..<bounds[head + 1].segment])
                let scratch = FoldScratch(foldShape, at: base + room)
                let own = bounds[head].piece..<bounds[head + 1].piece
                for piece in own {
                    let state = chunk.state(piece == own.lowerBound ? 0 : 1)
                    fold(pieces[piece], in: chunk, state, scratch)
                    if piece > own.lowerBound { chunk.kernels.merge(chunk.state(0), state) }
                }
                call.finish(
                    own.isEmpty ? nil : chunk.state(0), head: head, tokens: tokens, chunk.kernels)
            })
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
