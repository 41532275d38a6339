/// Rows that entries will be written from: entry i is row `indices[i]` of `rows`.
struct DraftRows: Sendable {
    var rows: Rows
    var indices: [UInt32]

    init(_ rows: Rows, _ indices: [UInt32]) {
        precondition(indices.allSatisfy { $0 < rows.count })
        self.rows = rows
        self.indices = indices
    }

    /// Rows made for the purpose, packed.
    init(packed: Buffer<Float>, count: Int, dim: Int) {
        rows = Rows(
            storage: packed.storage, byteOffset: 0, format: .f32, count: count, dim: dim)
        indices = Array(0..<UInt32(count))
    }

    /// Writes some entries as packed f32 rows; never more than 128 are gathered at a time.
    func write(
        _ entries: some RandomAccessCollection<Int>, to floats: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        let rowBytes = rows.dim * rows.format.byteCount
        withUnsafeTemporaryAllocation(byteCount: 128 * rowBytes, alignment: 64) { gathered in
            var rest = entries[...], to = floats
            while !rest.isEmpty {
                let chunk = rest.prefix(128)
                kernels.gather(rows, chunk.map { indices[$0] }, to: gathered.baseAddress!)
                kernels.convert(
                    UnsafeRawPointer(gathered.baseAddress!), rows.format,
                    count: chunk.count * rows.dim, to: to)
                to += chunk.count * rows.dim
                rest = rest.dropFirst(chunk.count)
            }
        }
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
            keys.indices.count == positions.count && values.indices.count == positions.count)
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
