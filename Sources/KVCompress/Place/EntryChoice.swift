/// What some query rows read of a layer: the logit of every row and entry, and a bit for those chosen.
///
/// The rows of a kv head are its query heads' tokens, head by head. Entries stand as they lie, in blocks, those of
/// all segments of all heads in a row: an entry's place is block * 64 + index in the block.
final class EntryChoice: @unchecked Sendable {
    /// The memory of choices, kept from one to the next.
    struct Memory: Sendable {
        fileprivate var logits = Scratch<Float>()
        fileprivate var chosen = Scratch<UInt64>()

        var byteCount: Int { logits.byteCount + chosen.byteCount }
    }

    let layer: LayerCache
    /// Query tokens.
    let tokens: Int
    /// Query heads per kv head.
    let group: Int
    let kernels: Kernels
    /// Whether what is not chosen is left out of the sums, too.
    let renormalizes: Bool
    /// The first of each segment's blocks, and one behind the last.
    private var starts = [0]
    /// The blocks of each head.
    private(set) var blocks: [Range<Int>] = []
    private let logits: UnsafeMutablePointer<Float>
    private let chosen: UnsafeMutablePointer<UInt64>

    var heads: Int { layer.heads.count }
    /// Query rows of a kv head.
    var rows: Int { tokens * group }

    /// Nothing chosen; logits are still to be written, for every entry of every block.
    init(
        _ layer: LayerCache, tokens: Int, group: Int, renormalizes: Bool, in memory: inout Memory,
        allocator: Allocator, kernels: Kernels
    ) {
        self.layer = layer
        self.tokens = tokens
        self.group = group
        self.renormalizes = renormalizes
        self.kernels = kernels
        for segments in layer.heads {
            let first = starts.last!
            for segment in segments { starts.append(starts.last! + segment.keys.blocks) }
            blocks.append(first..<starts.last!)
        }
        let count = starts.last! * tokens * group
        logits = memory.logits.room(count * blockEntries, from: allocator)
        chosen = memory.chosen.room(count, from: allocator)
        chosen.update(repeating: 0, count: count)
    }

    /// Bytes of a choice for one token.
    static func bytes(_ layer: LayerCache, group: Int) -> Int {
        let blocks = layer.heads.joined().reduce(0) { $0 + $1.keys.blocks }
        return blocks * group * (blockEntries * MemoryLayout<Float>.size + 8)
    }

    /// The logits of a block, rows from `row` with a stride of a block; -infinity for what a row does not see.
    func logits(_ block: Int, row: Int) -> UnsafeMutablePointer<Float> {
        logits + (block * rows + row) * blockEntries
    }

    /// The entries of a block that a row reads, as bits.
    func mask(_ block: Int, row: Int) -> UInt64 { chosen[block * rows + row] }

    /// Lets a row read entries of a block.
    func choose(_ entries: UInt64, of block: Int, row: Int) {
        chosen[block * rows + row] |= entries
    }

    /// Lets a row read all that it sees in some blocks.
    ///
    /// They are read whole, as attention without a choice does.
    func chooseAll(in blocks: Range<Int>, row: Int) {
        for block in blocks {
            let logits = logits(block, row: row)
            if (0..<blockEntries).contains(where: { logits[$0] > -.infinity }) {
                let (segment, place) = segment(of: block)
                choose(.all(segment.keys.entries(block: place)), of: block, row: row)
            }
        }
    }

    /// The segment of a block, and the block's place in it.
    func segment(of block: Int) -> (Segment, block: Int) {
        var number = 0
        for segment in layer.heads.joined() {
            if block < starts[number + 1] { return (segment, block - starts[number]) }
            number += 1
        }
        preconditionFailure("no block \(block)")
    }

    /// The position of an entry.
    func position(_ place: Int) -> Int32 {
        let (segment, block) = segment(of: place / blockEntries)
        return segment.positions(block * blockEntries + place % blockEntries)
    }

    /// What the rows read of one segment.
    struct Part {
        fileprivate let choice: EntryChoice
        fileprivate let start: Int

        var rows: Int { choice.rows }
        var renormalizes: Bool { choice.renormalizes }

        /// The logits of a block, rows from `row` with a stride of a block.
        func logits(block: Int, row: Int) -> UnsafeMutablePointer<Float> {
            choice.logits(start + block, row: row)
        }

        /// The entries of a block that a row reads, as bits.
        func mask(block: Int, row: Int) -> UInt64 { choice.mask(start + block, row: row) }

        /// The entries of a block that some rows read, as bits.
        func mask(block: Int, rows: Range<Int>) -> UInt64 {
            rows.reduce(0) { $0 | mask(block: block, row: $1) }
        }
    }

    /// The part of a segment, by its place among those of all heads.
    func part(_ segment: Int) -> Part { Part(choice: self, start: starts[segment]) }
}

extension UInt64 {
    /// The bits of a block of so many entries.
    static func all(_ entries: Int) -> UInt64 { entries == 64 ? .max : (1 << UInt64(entries)) - 1 }
}
