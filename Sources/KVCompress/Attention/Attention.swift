/// How attention is computed.
public struct AttentionOptions: Sendable {
    /// Multiplies the logits; nil means 1 / sqrt(key dim).
    public var scale: Float?
    /// Logits become softcap * tanh(logit / softcap); 0 leaves them.
    public var softcap: Float = 0
    /// The position of each query row: it sees entries at or before it.
    ///
    /// Nil: every row sees everything.
    public var positions: [Int32]?
    /// Entries at or before a row's position that are too old for it: it sees so many positions, its own
    /// included.
    ///
    /// Nil: it sees all. Needs `positions`.
    public var slidingWindow: Int?
    /// The threads to use.
    ///
    /// Results do not depend on their number.
    public var workers: Workers = .caller
    /// The level of the kernels.
    ///
    /// Results do not depend on it.
    public var instructionSet: InstructionSet = .best
    /// Adds up what was read and covered, when given.
    public var statistics: AttentionStatistics?

    /// The usual scale, no softcap, no causal mask, the caller's thread, the best kernels.
    public init() {}
}

extension LayerCache {
    /// Entries that one piece of work folds from an empty state.
    ///
    /// The partition of a head depends on
    /// nothing else, so neither do the results.
    static let rangeBlocks = 32

    /// Query rows that share one pass over a block's keys: their logits stay in the first-level cache.
    private static let rowTile = 64

    /// Query rows that are folded at a time: it bounds the memory of their states.
    private static let rowChunk = 512

    /// Bytes that the logits of a chunk may take where entries are chosen by them.
    private static let choiceBytes = 64 << 20

    /// One piece of work: a range of a segment's blocks, for the query rows of one kv head.
    private struct Piece {
        let head: Int
        let segment: Int
        let blocks: Range<Int>
    }

    /// Attention of every query head over the entries of its kv head.
    ///
    /// Keys and values are read once per kv head and tile of 64 query rows (tokens x group).
    /// - Returns: per query head `n x valueDim` outputs, packed.
    func attend(
        _ queries: [Rows], options: AttentionOptions, allocator: Allocator
    ) throws(CompressionError) -> [[Float]] {
        let group = try checkedGroup(of: queries, options)
        var outputs = [[Float]](repeating: [], count: queries.count)
        let n = queries[0].count
        var chunk = Self.rowChunk / group
        if placement != nil {
            chunk = max(1, min(chunk, Self.choiceBytes / EntryChoice.bytes(self, group: group)))
        }
        for first in stride(from: 0, to: n, by: chunk) {
            let tokens = first..<min(first + chunk, n)
            var part = options
            part.positions = options.positions.map { Array($0[tokens]) }
            let found = attendChunk(
                queries.map { $0[tokens] }, group: group, options: part, allocator: allocator)
            for head in outputs.indices { outputs[head] += found[head] }
        }
        return outputs
    }

    private func attendChunk(
        _ queries: [Rows], group: Int, options: AttentionOptions, allocator: Allocator
    ) -> [[Float]] {
        let n = queries[0].count
        let kernels = Kernels(options.instructionSet)
        let rows = n * group
        let packed = allocator.buffer(Float.self, heads.count * rows * geometry.keyDim)
        for (head, rows) in queries.enumerated() {
            kernels.convert(rows, rows: 0..<n, to: packed.pointer + head * n * geometry.keyDim)
        }
        let pieces = heads.indices.flatMap { head in
            heads[head].indices.flatMap { segment in
                stride(from: 0, to: heads[head][segment].keys.blocks, by: Self.rangeBlocks).map {
                    first in
                    let end = min(first + Self.rangeBlocks, heads[head][segment].keys.blocks)
                    return Piece(head: head, segment: segment, blocks: first..<end)
                }
            }
        }
        let stateFloats = FoldState.floats(rows: rows, dim: geometry.valueDim)
        let states = allocator.buffer(Float.self, pieces.count * stateFloats)
        let scale = options.scale ?? 1 / Float(geometry.keyDim).squareRoot()
        let choice = placement.map { placement in
            choose(
                by: placement, pieces, packed, n: n, group: group, scale: scale, options: options,
                allocator: allocator, kernels: kernels)
        }
        if let statistics = options.statistics {
            statistics.add(self, choice, tokens: n, group: group, rowTile: Self.rowTile)
        }
        options.workers.run(pieces.count) { index in
            let piece = pieces[index]
            let segment = heads[piece.head][piece.segment]
            let state = FoldState(
                at: states.pointer + index * stateFloats, rows: rows, dim: geometry.valueDim)
            let visible = Self.visible(segment, group: group, options)
            if let placement, let choice {
                segment.fold(
                    piece.blocks, state: state, visible: visible, rowTile: Self.rowTile,
                    choice: choice, renormalizes: placement.renormalizes, head: piece.head,
                    segment: piece.segment, allocator: allocator, kernels: kernels)
            } else {
                segment.fold(
                    piece.blocks, queries: packed.pointer + piece.head * rows * geometry.keyDim,
                    state: state, visible: visible, scale: scale, softcap: options.softcap,
                    rowTile: Self.rowTile, allocator: allocator, kernels: kernels)
            }
        }
        return merged(pieces, states, n: n, group: group, kernels: kernels)
    }

    /// The first of two phases where entries are chosen: every logit, and what the placement makes of them.
    private func choose(
        by placement: any Placement, _ pieces: [Piece], _ packed: Buffer<Float>, n: Int, group: Int,
        scale: Float, options: AttentionOptions, allocator: Allocator, kernels: Kernels
    ) -> EntryChoice {
        let choice = EntryChoice(
            self, tokens: n, group: group, allocator: allocator, kernels: kernels)
        options.workers.run(pieces.count) { index in
            let piece = pieces[index]
            let segment = heads[piece.head][piece.segment]
            segment.score(
                piece.blocks,
                queries: packed.pointer + piece.head * n * group * geometry.keyDim,
                visible: Self.visible(segment, group: group, options),
                scale: scale, softcap: options.softcap, rowTile: Self.rowTile, choice: choice,
                head: piece.head, segment: piece.segment, allocator: allocator, kernels: kernels)
        }
        placement.choose(choice, workers: options.workers)
        if placement.mapsValues { choice.prefetchValues(of: self) }
        return choice
    }

    private func checkedGroup(
        of queries: [Rows], _ options: AttentionOptions
    ) throws(CompressionError) -> Int {
        guard !queries.isEmpty, queries.count % heads.count == 0 else {
            throw CompressionError(
                .layer, "\(queries.count) query heads are no multiple of \(heads.count) kv heads")
        }
        guard queries.count / heads.count <= 16 else {
            throw CompressionError(
                .layer,
                "\(queries.count / heads.count) query heads per kv head; at most 16 are supported")
        }
        for (head, rows) in queries.enumerated() {
            guard rows.dim == geometry.keyDim else {
                throw CompressionError(
                    .layer,
                    "query head \(head) has head dim \(rows.dim), the keys have \(geometry.keyDim)")
            }
            guard rows.count == queries[0].count else {
                throw CompressionError(
                    .layer,
                    "query head \(head) has \(rows.count) rows, head 0 has \(queries[0].count)")
            }
        }
        if let positions = options.positions, positions.count != queries[0].count {
            throw CompressionError(
                .layer, "\(positions.count) positions for \(queries[0].count) query rows")
        }
        return queries.count / heads.count
    }

    /// Entries of a segment that each row (head by head) may see.
    private static func visible(
        _ segment: Segment, group: Int, _ options: AttentionOptions
    ) -> Visible {
        guard let positions = options.positions else { return Visible() }
        func rows(_ limit: (Int32) -> Int32) -> [UInt32] {
            let once = positions.map {
                UInt32(segment.positions.count(upTo: limit($0), of: segment.count))
            }
            return (0..<group).flatMap { _ in once }
        }
        return Visible(
            start: options.slidingWindow.map { window in rows { $0 - Int32(clamping: window) } },
            end: rows { $0 })
    }

    /// Merges the pieces of each head in order and divides.
    private func merged(
        _ pieces: [Piece], _ states: Buffer<Float>, n: Int, group: Int, kernels: Kernels
    ) -> [[Float]] {
        let rows = n * group
        let stateFloats = FoldState.floats(rows: rows, dim: geometry.valueDim)
        func state(_ piece: Int) -> FoldState {
            FoldState(
                adopting: states.pointer + piece * stateFloats, rows: rows, dim: geometry.valueDim)
        }
        var outputs: [[Float]] = []
        var next = 0
        for head in heads.indices {
            // A head without entries attends to nothing and gives zeros.
            var output = [Float](repeating: 0, count: rows * geometry.valueDim)
            let first = next
            while next < pieces.count, pieces[next].head == head {
                if next > first { kernels.merge(state(first), state(next)) }
                next += 1
            }
            if next > first { kernels.finish(state(first), output: &output) }
            let perHead = n * geometry.valueDim
            for member in 0..<group {
                outputs.append(Array(output[member * perHead..<(member + 1) * perHead]))
            }
        }
        return outputs
    }
}
