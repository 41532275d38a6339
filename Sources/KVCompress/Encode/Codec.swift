/// Entries of a block: splits of work, of files and of pages cut only at multiples of this.
let blockEntries = 64

/// What a part of the stored bytes is: the ledger's rows.
public enum Component: String, Hashable, Sendable, Codable, CaseIterable {
    case keyRows = "key_rows"
    case keyCodes = "key_codes"
    case keyScales = "key_scales"
    case keyZeros = "key_zeros"
    case valueRows = "value_rows"
    case valueCodes = "value_codes"
    case valueScales = "value_scales"
    case valueZeros = "value_zeros"
    case keyNorms = "key_norms"
    case valueNorms = "value_norms"
    case positions
    case votes
    case bases
    case importance
}

/// Whether rows are keys or values: their bytes are laid out for different loops.
enum Side: Sendable { case keys, values }

/// The owner of a byte format: the only code that knows what the bytes of a store mean.
///
/// A codec is a value that describes rows of one `dim` on one `side`. Everything above it (attention,
/// files, the ledger) sees entries and blocks.
protocol Codec: Sendable {
    /// The configuration that makes this codec again.
    var configuration: CodecConfiguration { get }
    /// Elements of a row.
    var dim: Int { get }
    /// Entries come in multiples of this (a per-channel group), 1 when any number will do.
    var entryMultiple: Int { get }

    /// Bytes to allocate for `count` entries.
    func allocatedBytes(_ count: Int) -> Int
    /// Bytes that `count` entries are made of, by component, without padding to whole tiles.
    func storedBytes(_ count: Int) -> [Component: Int]

    /// Where the bytes of some entries stand in a store of `total`, from one multiple of 16 on.
    ///
    /// What `encode` makes of a store's chunk alone has its bytes in as many runs, each as long as here.
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>]

    /// Writes entries `first ..< first + count` of a store: every byte of their places. `first` is a multiple of
    /// 128.
    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels)
    /// Reads entries of block `block` as packed f32 in the original space.
    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)

    /// Bytes of `rows` prepared queries.
    func preparedBytes(rows: Int) -> Int
    /// Maps packed f32 queries to the codec's query space, once per fold.
    func prepare(
        _ queries: UnsafePointer<Float>, rows: Int, to prepared: UnsafeMutableRawPointer,
        kernels: Kernels)
    /// Raw dots of all prepared rows with the entries of a block; `logits` has a stride of a block.
    func score(
        _ store: Store, block: Int, prepared: UnsafeRawPointer, rows: Int,
        logits: UnsafeMutablePointer<Float>, kernels: Kernels)
    /// Adds a block's values, weighted, to rescaled accumulators in the codec's value space.
    func accumulate(
        _ store: Store, block: Int, weights: UnsafePointer<Float>, rescale: UnsafePointer<Float>,
        indices: UnsafeBufferPointer<UInt32>?, state: FoldState, kernels: Kernels)
    /// Elements of an accumulator in the codec's value space.
    var valueSpace: Int { get }
    /// Maps accumulators (rows x `valueSpace`) to the original space (rows x `dim`), once per fold.
    ///
    /// Both are the same memory when both spaces have the same number of elements.
    func finish(
        _ accumulator: UnsafeMutablePointer<Float>, rows: Int,
        to output: UnsafeMutablePointer<Float>, kernels: Kernels)
    /// The stored maps between the original space and that of the codes, in the order of encoding.
    var bases: [Basis] { get }
}

extension Codec {
    var valueSpace: Int { dim }
    var bases: [Basis] { [] }

    /// One run, as entries that are written one behind the other have.
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>] {
        [allocatedBytes(entries.lowerBound)..<allocatedBytes(entries.upperBound)]
    }

    func finish(
        _ accumulator: UnsafeMutablePointer<Float>, rows: Int,
        to output: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {}
}

/// The rows of one head on one side, as a codec wrote them.
struct Store: Sendable {
    let codec: any Codec
    let storage: Storage
    let byteOffset: Int
    let count: Int

    var base: UnsafeMutableRawPointer { storage.base + byteOffset }
    var blocks: Int { (count + blockEntries - 1) / blockEntries }

    /// Entries of block `block`: 64, fewer in the last.
    func entries(block: Int) -> Int { min(blockEntries, count - block * blockEntries) }
}

extension CodecConfiguration {
    /// The codec for rows of `dim` elements, which bases map one after the other to the rows that are stored.
    ///
    /// - Parameter positions: where the entries stand; a basis behind RoPE needs them.
    func codec(
        _ side: Side, dim: Int, through bases: [Basis] = [], at positions: Positions? = nil
    ) -> any Codec {
        if let basis = bases.first {
            precondition(basis.dim == dim)
            let projected = ProjectedCodec(
                codec(side, dim: basis.rank, through: Array(bases.dropFirst())), basis: basis)
            return basis.rope.map { RoPECodec(projected, rope: $0, positions: positions!) }
                ?? projected
        }
        let base: any Codec
        switch format {
        case .f32: base = PlainCodec(format: .f32, side: side, dim: dim)
        case .f16: base = PlainCodec(format: .f16, side: side, dim: dim)
        case .bf16: base = PlainCodec(format: .bf16, side: side, dim: dim)
        case .q8, .q4, .q3, .q2: base = QuantizedCodec(self, side: side, dim: dim)
        }
        if let turboquant, turboquant.rotation == .hadamard {
            return RotatedCodec(base, signs: turboquant.signs(dim: dim))
        }
        return rotated ? RotatedCodec(base) : base
    }
}
