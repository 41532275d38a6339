/// A codec of keys as they were before RoPE: low rank shows there (Eigen Attention, arXiv 2408.05646,
/// section 3.3).
///
/// A block is decoded, turned to the positions of its entries and scored like plain rows; nothing larger
/// than a block is ever decoded.
struct RoPECodec: Codec {
    private let base: any Codec
    private let rope: RoPE
    private let frequencies: [Float]
    /// Where the entries stand.
    private let positions: Positions

    init(_ base: any Codec, rope: RoPE, positions: Positions) {
        self.base = base
        self.rope = rope
        self.positions = positions
        frequencies = rope.frequencies(dim: base.dim)
    }

    var configuration: CodecConfiguration { base.configuration }
    var bases: [Basis] { base.bases }
    var dim: Int { base.dim }
    var entryMultiple: Int { base.entryMultiple }
    func allocatedBytes(_ count: Int) -> Int { base.allocatedBytes(count) }
    func storedBytes(_ count: Int) -> [Component: Int] { base.storedBytes(count) }
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>] {
        base.places(entries, of: total)
    }

    /// The same with the positions where they are stored.
    func at(_ positions: Positions) -> RoPECodec {
        RoPECodec(base, rope: rope, positions: positions)
    }

    /// Turns packed rows of some entries to their positions, or back.
    private func turn(
        _ rows: UnsafeMutablePointer<Float>, _ entries: Range<Int>, inverse: Bool, kernels: Kernels
    ) {
        kernels.rope(
            rows, dim: dim, positions: entries.map { UInt32(positions($0)) },
            frequencies: frequencies, style: rope.style, inverse: inverse)
    }

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, count * dim)) { copy in
            let start = copy.baseAddress!
            start.update(from: rows, count: count * dim)
            turn(start, first..<first + count, inverse: true, kernels: kernels)
            self.base.encode(
                start, count: count, first: first, of: total, to: base, kernels: kernels)
        }
    }

    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)
    {
        base.decode(store, block: block, to: rows, kernels: kernels)
        let first = block * blockEntries
        turn(rows, first..<first + store.entries(block: block), inverse: false, kernels: kernels)
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
        withUnsafeTemporaryAllocation(of: Float.self, capacity: blockEntries * dim) { keys in
            decode(store, block: block, to: keys.baseAddress!, kernels: kernels)
            kernels.score(
                .f32, logits: logits, logitsStride: blockEntries,
                queries: prepared.assumingMemoryBound(to: Float.self), rows: rows, dim: dim,
                keys: keys.baseAddress!, stride: dim, n: store.entries(block: block))
        }
    }

    func accumulate(
        _ store: Store, block: Int, weights: UnsafePointer<Float>, rescale: UnsafePointer<Float>,
        indices: UnsafeBufferPointer<UInt32>?, state: FoldState, kernels: Kernels
    ) {
        preconditionFailure("values have no RoPE")
    }
}

extension Store {
    /// The same bytes, of entries at stored positions.
    func at(_ positions: Positions) -> Store {
        guard let codec = codec as? RoPECodec else { return self }
        return Store(
            codec: codec.at(positions), storage: storage, byteOffset: byteOffset, count: count)
    }
}
