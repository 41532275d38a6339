import Foundation

/// Adds up what calls of `attend` read and covered, where it is given in their options.
public final class AttentionStatistics: Sendable {
    /// What was added up.
    public struct Totals: Sendable, Equatable {
        /// Query rows that saw something: query heads x tokens.
        public var queries = 0
        /// Stored bytes of the values that were read.
        ///
        /// A value counts once for every pass over its block, which up to 128 query rows share.
        public var valueBytes = 0
        /// Attention on the entries that were read, summed over query rows: 1 for a row that read all.
        public var mass = 0.0
    }

    private let state = Locked(Totals())

    /// Nothing so far.
    public init() {}

    /// What was added up so far.
    public var totals: Totals { state.withLock { $0 } }

    /// Counts a chunk of queries; without a choice all rows read all entries.
    func add(
        _ layer: LayerCache, _ choice: EntryChoice?, tokens: Int, group: Int, rowTile: Int
    ) {
        let rows = tokens * group
        let tiles = stride(from: 0, to: rows, by: rowTile).map { $0..<min($0 + rowTile, rows) }
        var added = Totals()
        var number = 0
        for (head, segments) in layer.heads.enumerated() {
            for segment in segments {
                var read = segment.count * tiles.count
                if let choice {
                    read = tiles.reduce(0) { read, tile in
                        (0..<segment.values.blocks).reduce(read) { read, block in
                            read
                                + choice.part(number).mask(block: block, rows: tile)
                                .nonzeroBitCount
                        }
                    }
                }
                added.valueBytes += segment.values.codec.storedBytes(read).values.reduce(0, +)
                number += 1
            }
            for row in 0..<rows {
                guard let mass = choice.map({ $0.mass(head: head, row: row) }) ?? 1 else {
                    continue
                }
                added.queries += 1
                added.mass += mass
            }
        }
        state.withLock { totals in
            totals.queries += added.queries
            totals.valueBytes += added.valueBytes
            totals.mass += added.mass
        }
    }
}

extension EntryChoice {
    /// The share of a row's attention that falls on what it reads; nil when it sees nothing.
    fileprivate func mass(head: Int, row: Int) -> Double? {
        var top = -Float.infinity
        for block in blocks[head] {
            let logits = logits(block, row: row)
            for entry in 0..<blockEntries { top = max(top, logits[entry]) }
        }
        guard top > -.infinity else { return nil }
        var all = 0.0, read = 0.0
        for block in blocks[head] {
            let logits = logits(block, row: row), mask = mask(block, row: row)
            for entry in 0..<blockEntries where logits[entry] > -.infinity {
                let weight = exp(Double(logits[entry]) - Double(top))
                all += weight
                if mask >> UInt64(entry) & 1 == 1 { read += weight }
            }
        }
        return read / all
    }
}
