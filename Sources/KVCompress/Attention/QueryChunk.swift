/// One piece of work: blocks of a segment, for all query rows of a kv head.
struct AttentionPiece {
    let head: Int
    /// The segment's place among those of all heads.
    let segment: Int
    let blocks: Range<Int>
}

/// Some query tokens of some kv heads: their queries in f32, what they see, and states to fold in.
struct QueryChunk: @unchecked Sendable {
    /// How much memory that takes.
    struct Shape {
        /// kv heads.
        let heads: Int
        /// Segments of these heads.
        let segments: Int
        /// States that are folded in at a time.
        let states: Int
        /// Query rows of a kv head.
        let rows: Int
        let geometry: LayerGeometry

        fileprivate var queryFloats: Int { (heads * rows * geometry.keyDim + 15) / 16 * 16 }
        fileprivate var stateFloats: Int {
            (FoldState.floats(rows: rows, dim: geometry.valueDim) + 15) / 16 * 16
        }

        /// Bytes of it, whole cache lines.
        var byteCount: Int {
            let words = queryFloats + states * stateFloats + 2 * segments * rows
            return (words * 4 + 63) / 64 * 64
        }
    }

    let shape: Shape
    /// Among those of the call.
    let tokens: Range<Int>
    let kernels: Kernels
    let scale: Float
    let softcap: Float
    private let firstHead: Int
    private let firstSegment: Int
    private let queries: UnsafeMutablePointer<Float>
    private let states: UnsafeMutablePointer<Float>
    /// Per segment and row, one behind the last entry that it sees; nil: all are seen.
    private var ends: UnsafeMutablePointer<UInt32>?
    /// Per segment and row, the first entry that is not too old; nil: none is.
    private var starts: UnsafeMutablePointer<UInt32>?

    /// Packs the queries and finds what they see.
    /// - Parameter segments: those of the heads, `firstSegment` the first among those of all heads.
    init(
        _ shape: Shape, at base: UnsafeMutableRawPointer, of call: some AttentionCall,
        heads: Range<Int>, tokens: Range<Int>, segments: ArraySlice<Segment>
    ) {
        self.shape = shape
        self.tokens = tokens
        kernels = Kernels(call.options.instructionSet)
        scale = call.options.scale ?? 1 / Float(shape.geometry.keyDim).squareRoot()
        softcap = call.options.softcap
        firstHead = heads.lowerBound
        firstSegment = segments.startIndex
        queries = base.assumingMemoryBound(to: Float.self)
        states = queries + shape.queryFloats
        call.pack(heads, tokens, to: queries, kernels)
        guard call.options.isCausal else { return }
        let seen = UnsafeMutableRawPointer(states + shape.states * shape.stateFloats)
        let ends = seen.assumingMemoryBound(to: UInt32.self)
        self.ends = ends
        if call.options.slidingWindow != nil { starts = ends + shape.segments * shape.rows }
        for (index, segment) in segments.enumerated() {
            see(segment, call.options, from: index * shape.rows)
        }
    }

    /// Finds what each row sees of a segment.
    private func see(_ segment: Segment, _ options: AttentionOptions, from first: Int) {
        for token in tokens {
            let position = options.position(token)
            let end = segment.positions.count(upTo: position, of: segment.count)
            let start = options.slidingWindow.map {
                segment.positions.count(upTo: position - Int32(clamping: $0), of: segment.count)
            }
            let row = first + token - tokens.lowerBound
            for row in stride(from: row, to: first + shape.rows, by: tokens.count) {
                ends![row] = UInt32(end)
                if let start { starts![row] = UInt32(start) }
            }
        }
    }

    func queries(_ head: Int) -> UnsafePointer<Float> {
        UnsafePointer(queries + (head - firstHead) * shape.rows * shape.geometry.keyDim)
    }

    func state(_ index: Int) -> FoldState {
        FoldState(
            adopting: states + index * shape.stateFloats, rows: shape.rows,
            dim: shape.geometry.valueDim)
    }

    func visible(_ piece: AttentionPiece) -> Visible {
        let first = (piece.segment - firstSegment) * shape.rows
        return Visible(
            start: starts.map { UnsafePointer($0 + first) },
            end: ends.map { UnsafePointer($0 + first) })
    }
}
