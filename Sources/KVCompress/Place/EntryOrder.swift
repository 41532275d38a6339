/// The entries of a choice in ascending positions.
struct EntryOrder: Sendable {
    let choice: EntryChoice
    /// The positions of each head's entries, ascending.
    let positions: [[Int32]]
    /// The same entries' places.
    private let places: [[UInt32]]

    init(_ choice: EntryChoice) {
        self.choice = choice
        var positions: [[Int32]] = [], places: [[UInt32]] = []
        for (head, segments) in choice.layer.heads.enumerated() {
            var entries: [(Int32, UInt32)] = []
            var first = choice.blocks[head].lowerBound * blockEntries
            for segment in segments {
                entries += (0..<segment.count).map { (segment.positions($0), UInt32(first + $0)) }
                first += segment.keys.blocks * blockEntries
            }
            if segments.count > 1 { entries.sort { $0.0 < $1.0 } }
            positions.append(entries.map(\.0))
            places.append(entries.map(\.1))
        }
        self.positions = positions
        self.places = places
    }

    /// The logits of a row; -infinity for entries that it does not see.
    func logits(head: Int, row: Int) -> [Float] {
        places[head].map { choice.logits(Int($0) / blockEntries, row: row)[Int($0) % blockEntries] }
    }

    /// Lets a row read entries among those that it sees.
    func choose(_ entries: [UInt32], of seen: [UInt32], head: Int, row: Int) {
        if entries.count == seen.count {
            choice.chooseAll(in: choice.blocks[head], row: row)
            return
        }
        for entry in entries {
            let place = Int(places[head][Int(entry)])
            choice.choose(
                1 << UInt64(place % blockEntries), of: place / blockEntries, row: row)
        }
    }
}
