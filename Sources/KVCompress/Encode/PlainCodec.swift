/// Rows of plain numbers, as they are: f32, f16 or bf16.
struct PlainCodec: Codec {
    let format: ElementFormat
    let side: Side
    let dim: Int
    /// Elements from one row to the next: more than `dim` when the rows are somebody else's.
    let stride: Int

    init(format: ElementFormat, side: Side, dim: Int, stride: Int? = nil) {
        self.format = format
        self.side = side
        self.dim = dim
        self.stride = stride ?? dim
    }

    var configuration: CodecConfiguration {
        switch format {
        case .f32: CodecConfiguration(.f32)
        case .f16: CodecConfiguration(.f16)
        case .bf16: CodecConfiguration(.bf16)
        }
    }

    var entryMultiple: Int { 1 }
    private var rowBytes: Int { stride * format.byteCount }

    func allocatedBytes(_ count: Int) -> Int { count * rowBytes }

    func storedBytes(_ count: Int) -> [Component: Int] {
        [side == .keys ? .keyRows : .valueRows: count * dim * format.byteCount]
    }

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        precondition(stride == dim)
        kernels.convert(rows, count: count * dim, to: format, at: base + first * rowBytes)
    }

    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)
    {
        let view = Rows(
            storage: store.storage, byteOffset: store.byteOffset, format: format,
            count: store.count,
            dim: dim, stride: stride)
        let first = block * blockEntries
        kernels.convert(view, rows: first..<first + store.entries(block: block), to: rows)
    }

    func preparedBytes(rows: Int) -> Int { rows * dim * 4 }

    func prepare(
        _ queries: UnsafePointer<Float>, rows: Int, to prepared: UnsafeMutableRawPointer,
        kernels: Kernels
    ) {
        prepared.copyMemory(from: queries, byteCount: rows * dim * 4)
    }

    func score(
        _ store: Store, block: Int, prepared: UnsafeRawPointer, rows: Int,
        logits: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        kernels.score(
            format, logits: logits, logitsStride: blockEntries,
            queries: prepared.assumingMemoryBound(to: Float.self), rows: rows, dim: dim,
            keys: store.base + block * blockEntries * rowBytes, stride: stride,
            n: store.entries(block: block))
    }

    func accumulate(
        _ store: Store, block: Int, weights: UnsafePointer<Float>, rescale: UnsafePointer<Float>,
        indices: UnsafeBufferPointer<UInt32>?, state: FoldState, kernels: Kernels
    ) {
        kernels.accumulate(
            format, accumulator: state.accumulator, rescale: rescale, rows: state.rows, dim: dim,
            weights: weights, weightsStride: blockEntries,
            values: store.base + block * blockEntries * rowBytes, stride: stride,
            n: store.entries(block: block), indices: indices)
    }
}

extension Store {
    /// Somebody's plain rows, seen as a store without copying.
    init(viewing rows: Rows, side: Side) {
        self.init(
            codec: PlainCodec(format: rows.format, side: side, dim: rows.dim, stride: rows.stride),
            storage: rows.storage, byteOffset: rows.byteOffset, count: rows.count)
    }
}
