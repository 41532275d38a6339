/// Rows that entries will be written from, made when they are asked for and kept by nobody.
struct DraftRows: Sendable {
    private enum Source: Sendable {
        /// Entry i is row `indices[i]`.
        case picked(Rows, [UInt32])
        /// Entry i is a weighted sum of rows.
        case mixed(Rows, Mixture)
        /// Entry i is made of two others.
        indirect case blended(BlendedRows)
    }

    private let source: Source
    /// Number of entries.
    let count: Int
    /// Elements of a row.
    let dim: Int
    /// The first of the picked rows, when they are all rows from there on.
    private var first: Int?

    /// The most rows that are gathered or made at a time.
    static let chunk = 128

    init(_ rows: Rows, _ indices: [UInt32]) {
        var largest: UInt32 = 0, isRun = true
        let start = indices.first ?? 0
        for (place, index) in indices.enumerated() {
            largest = max(largest, index)
            isRun = isRun && index == start &+ UInt32(place)
        }
        precondition(indices.isEmpty || largest < rows.count)
        (source, count, dim) = (.picked(rows, indices), indices.count, rows.dim)
        first = isRun ? Int(start) : nil
    }

    /// Sums of rows.
    init(_ mixture: Mixture, of rows: Rows) {
        (source, count, dim) = (.mixed(rows, mixture), mixture.count, rows.dim)
    }

    init(_ blended: BlendedRows) {
        (source, count, dim) = (.blended(blended), blended.count, blended.dim)
    }

    /// Rows made for the purpose, packed.
    init(packed: Buffer<Float>, count: Int, dim: Int) {
        self.init(
            Rows(storage: packed.storage, byteOffset: 0, format: .f32, count: count, dim: dim),
            Array(0..<UInt32(count)))
    }

    /// Writes some entries, ascending, as packed f32 rows; never more than 128 are gathered at a time.
    func write(
        _ entries: some RandomAccessCollection<Int>, to floats: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        if let run = run(entries), case .picked(let rows, _) = source {
            return kernels.convert(rows, rows: run, to: floats)
        }
        var rest = entries[...], to = floats
        while !rest.isEmpty {
            let chunk = rest.prefix(Self.chunk)
            write(chunk: Array(chunk), to, kernels)
            to += chunk.count * dim
            rest = rest.dropFirst(chunk.count)
        }
    }

    private func write(
        chunk entries: [Int], _ floats: UnsafeMutablePointer<Float>, _ kernels: Kernels
    ) {
        switch source {
        case .picked(let rows, let indices):
            kernels.convert(rows, picking: entries.map { indices[$0] }[...], to: floats)
        case .mixed(let rows, let mixture):
            mixture.write(entries, of: rows, to: floats, kernels: kernels)
        case .blended(let blended): blended.write(entries, to: floats, kernels: kernels)
        }
    }

    /// Calls the body with some entries as packed f32 rows: where they lie, or in scratch of as many rows.
    func withRows<Result, Failure: Error>(
        _ entries: ArraySlice<Int>, scratch: UnsafeMutablePointer<Float>, kernels: Kernels,
        _ body: (UnsafePointer<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let run = run(entries), case .picked(let rows, _) = source, rows.format == .f32,
            rows.stride == rows.dim
        {
            let first = rows.base + run.lowerBound * rows.dim * 4
            defer { withExtendedLifetime(rows.storage) {} }
            return try body(first.assumingMemoryBound(to: Float.self))
        }
        write(entries, to: scratch, kernels: kernels)
        return try body(scratch)
    }

    /// The picked rows of some ascending entries where those are a run of a run.
    private func run(_ entries: some RandomAccessCollection<Int>) -> Range<Int>? {
        guard let first, let start = entries.first, let last = entries.last,
            last - start == entries.count - 1
        else { return nil }
        return first + start..<first + last + 1
    }

    /// The first element that is not finite or larger than `limit` in magnitude.
    func firstBeyond(_ limit: Float, kernels: Kernels, allocator: Allocator) -> Float? {
        let scratch = allocator.scratch(Float.self, Self.chunk * dim)
        for first in stride(from: 0, to: count, by: Self.chunk) {
            let entries = first..<min(first + Self.chunk, count)
            write(entries, to: scratch.pointer, kernels: kernels)
            if let found = kernels.firstBeyond(
                scratch.pointer, count: entries.count * dim, limit: limit)
            {
                return scratch[found]
            }
        }
        return nil
    }
}

/// What entries count for in attention.
enum Mass: Sendable, Equatable {
    /// One token each.
    case ones
    /// So many tokens each, at most `EntryVector.mostVotes`.
    case votes([UInt32])
    /// A logit bias each, any real number.
    case bias([Float])

    /// The votes of an entry whose mass has not been fitted.
    func votes(_ entry: Int) -> UInt32 {
        switch self {
        case .ones: 1
        case .votes(let votes): votes[entry]
        case .bias: preconditionFailure("a fitted entry has no votes")
        }
    }

    /// The logit bias of every entry; empty when all are 0.
    func logits(_ kernels: Kernels) -> [Float] {
        switch self {
        case .ones: return []
        case .votes(let votes): return kernels.logarithms(votes.map { Float($0) })
        case .bias(let bias): return bias
        }
    }
}

/// The entries of one kv head on their way through the stages of a plan.
struct HeadDraft: Sendable {
    /// Original positions, ascending.
    var positions: [UInt32]
    var keys: DraftRows
    var values: DraftRows
    var mass = Mass.ones
    /// Tokens that merged entries are made of, perhaps more than once; nil: those at the positions.
    var merged: [UInt32]?
    /// Which of the encode stage's codecs an entry is written in; nil: all in the first.
    var classes: [UInt8]?

    var count: Int { positions.count }

    init(
        positions: [UInt32], keys: DraftRows, values: DraftRows, mass: Mass = .ones,
        merged: [UInt32]? = nil
    ) {
        precondition(
            keys.count == positions.count && values.count == positions.count)
        self.positions = positions
        self.keys = keys
        self.values = values
        self.mass = mass
        self.merged = merged
    }

    /// Tokens kept as they are.
    init(keeping kept: [UInt32], keys: Rows, values: Rows) {
        self.init(positions: kept, keys: DraftRows(keys, kept), values: DraftRows(values, kept))
    }

    /// Puts the entries at some positions into a class.
    mutating func move(_ positions: Set<UInt32>, to number: Int) {
        var classes = classes ?? [UInt8](repeating: 0, count: count)
        for entry in 0..<count where positions.contains(self.positions[entry]) {
            classes[entry] = UInt8(number)
        }
        self.classes = classes
    }

    func rows(_ side: Side) -> DraftRows { side == .keys ? keys : values }
}
