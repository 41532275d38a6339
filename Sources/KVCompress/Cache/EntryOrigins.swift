/// What the rows of a layer were before, when they are entries of a cache that is compressed again.
///
/// Without it row i is token i, and counts for one.
struct LayerOrigins: Sendable {
    /// Per kv head.
    var heads: [EntryOrigins]
    /// Tokens of the whole past, kept or not.
    var tokens: Int
    /// Queries that were observed before those which the layer carries.
    var observed: Int
}

/// What the rows of one kv head were before.
struct EntryOrigins: Sendable {
    /// Original positions, ascending.
    var positions: [UInt32]
    /// What each counts for.
    var mass = Mass.ones
    /// The attention that each received from queries that are gone: the sum over queries, the mean over the
    /// group; empty where nobody asks.
    var received: [Float] = []
}

extension CacheLayer {
    /// How many of the given queries, the last of their layer, and of those before them could see a row.
    func queriesSeeing(_ row: Int, of rows: Int, kvHead: Int) -> Int {
        let queries = queries?[0].count ?? 0
        guard let origins else { return min(queries, rows - row) }
        let position = Int(origins.heads[kvHead].positions[row])
        return min(origins.observed + queries, origins.tokens - position)
    }

    /// The original position of a row.
    func position(_ row: UInt32, kvHead: Int) -> UInt32 {
        origins.map { $0.heads[kvHead].positions[Int(row)] } ?? row
    }
}

extension Mass {
    /// The mass of some of the entries.
    func of(_ entries: [UInt32]) -> Mass {
        switch self {
        case .ones: .ones
        case .votes(let votes): .votes(entries.map { votes[Int($0)] })
        case .bias(let bias): .bias(entries.map { bias[Int($0)] })
        }
    }
}
