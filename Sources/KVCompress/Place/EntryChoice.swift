/// What some query rows read of a layer: the logit of every row and entry, and a bit for those chosen.
///
/// The rows of a kv head are its query heads' tokens, head by head. Entries have two orders: blocks as they
/// lie, those of all segments of all heads in a row, and, for whoever chooses, ascending positions.
final class EntryChoice: @unchecked Sendable {
    /// Query tokens.
    let tokens: Int
    /// Query heads per kv head.
    let group: Int
    let heads: Int
    let kernels: Kernels
    /// Whether what is not chosen is left out of the sums, too.
    let renormalizes: Bool
    /// The positions of each head's entries, ascending.
    let positions: [[Int32]]
    /// The same entries' places: block * 64 + index in the block.
    private let places: [[UInt32]]
    /// The first of a segment's blocks, `[head][segment]`.
    private let starts: [[Int]]
    /// Entries of each block.
    private let sizes: [Int]
    private let logits: Buffer<Float>
    private let chosen: Buffer<UInt64>

    /// Query rows of a kv head.
    var rows: Int { tokens * group }

    /// Nothing chosen, nothing seen.
    init(
        _ layer: LayerCache, tokens: Int, group: Int, renormalizes: Bool, allocator: Allocator,
        kernels: Kernels
    ) {
        self.renormalizes = renormalizes
        self.tokens = tokens
        self.group = group
        self.kernels = kernels
        heads = layer.heads.count
        var starts: [[Int]] = [], sizes: [Int] = [], order: [[(Int32, UInt32)]] = []
        for head in layer.heads {
            starts.append([])
            var entries: [(Int32, UInt32)] = []
            for segment in head {
                starts[starts.count - 1].append(sizes.count)
                let first = sizes.count * blockEntries
                entries += (0..<segment.count).map { (segment.positions($0), UInt32(first + $0)) }
                sizes += (0..<segment.keys.blocks).map(segment.keys.entries(block:))
            }
            order.append(head.count > 1 ? entries.sorted { $0.0 < $1.0 } : entries)
        }
        self.starts = starts
        self.sizes = sizes
        positions = order.map { $0.map(\.0) }
        places = order.map { $0.map(\.1) }
        logits = allocator.buffer(Float.self, sizes.count * tokens * group * blockEntries)
        chosen = allocator.buffer(UInt64.self, sizes.count * tokens * group)
        logits.pointer.update(repeating: -.infinity, count: logits.count)
    }

    /// Bytes of a choice for one token.
    static func bytes(_ layer: LayerCache, group: Int) -> Int {
        let blocks = layer.heads.joined().reduce(0) { $0 + $1.keys.blocks }
        return blocks * group * (blockEntries * MemoryLayout<Float>.size + 8)
    }

    // MARK: As blocks lie

    /// What the rows read of one segment.
    struct Part {
        fileprivate let choice: EntryChoice
        fileprivate let start: Int

        var rows: Int { choice.rows }
        var renormalizes: Bool { choice.renormalizes }

        /// The logits of a block, rows from `row` with a stride of a block.
        func logits(block: Int, row: Int) -> UnsafeMutablePointer<Float> {
            choice.logits.pointer + ((start + block) * choice.rows + row) * blockEntries
        }

        /// The entries of a block that a row reads, as bits.
        func mask(block: Int, row: Int) -> UInt64 {
            choice.chosen[(start + block) * choice.rows + row]
        }

        /// The entries of a block that some rows read, as bits.
        func mask(block: Int, rows: Range<Int>) -> UInt64 {
            rows.reduce(0) { $0 | mask(block: block, row: $1) }
        }
    }

    func part(_ head: Int, _ segment: Int) -> Part {
        Part(choice: self, start: starts[head][segment])
    }

    // MARK: As positions ascend

    /// The logits of a row; -infinity for entries that it does not see.
    func logits(head: Int, row: Int) -> [Float] {
        places[head].map { place in
            logits.pointer[offset(place, row) * blockEntries + Int(place) % blockEntries]
        }
    }

    /// Whether a row reads an entry.
    func isChosen(_ entry: Int, head: Int, row: Int) -> Bool {
        let place = places[head][entry]
        return chosen[offset(place, row)] >> (UInt64(place) % 64) & 1 == 1
    }

    /// Lets a row read entries among those that it sees.
    ///
    /// Who reads all of them reads their blocks whole, as attention without a choice does.
    func choose(_ entries: [UInt32], of seen: [UInt32], head: Int, row: Int) {
        let all = entries.count == seen.count
        for entry in entries {
            let place = places[head][Int(entry)]
            let bits =
                all ? UInt64.all(sizes[Int(place) / blockEntries]) : 1 << (UInt64(place) % 64)
            chosen[offset(place, row)] |= bits
        }
    }

    private func offset(_ place: UInt32, _ row: Int) -> Int {
        Int(place) / blockEntries * rows + row
    }
}

extension UInt64 {
    /// The bits of a block of so many entries.
    static func all(_ entries: Int) -> UInt64 { entries == 64 ? .max : (1 << UInt64(entries)) - 1 }
}
