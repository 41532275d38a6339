/// Memory that is kept from call to call: it grows where more is needed and shrinks where it was far too much.
///
/// What is in it is nobody's: it is written before it is read.
struct Scratch<Element: BitwiseCopyable>: Sendable {
    private var storage: Storage?

    /// Bytes held.
    var byteCount: Int { storage?.byteCount ?? 0 }

    /// Room for `count` elements, until the next call.
    mutating func room(
        _ count: Int, from allocator: Allocator
    ) -> UnsafeMutablePointer<Element> {
        let needed = max(count * MemoryLayout<Element>.stride, 64)
        // Half as much again, so that a cache that grows does not ask at every step.
        if storage == nil || needed > byteCount || needed < byteCount / 8 {
            storage = nil
            storage = allocator.allocateUninitialized(needed + needed / 2)
        }
        return storage!.base.assumingMemoryBound(to: Element.self)
    }
}

/// What one thread folds in.
struct FoldScratch {
    /// How large it is.
    struct Shape {
        /// Query rows.
        let rows: Int
        /// How many of them share one pass over a block.
        let tile: Int
        /// Bytes of a tile's prepared queries.
        private(set) var preparedBytes = 0
        /// Elements of an accumulator in the codec's value space.
        private(set) var valueSpace = 0

        init(rows: Int, tile: Int) {
            self.rows = rows
            self.tile = min(tile, rows)
        }

        /// Makes room for a segment of these codecs.
        mutating func include(_ keys: any Codec, _ values: any Codec) {
            preparedBytes = max(preparedBytes, (keys.preparedBytes(rows: tile) + 63) / 64 * 64)
            valueSpace = max(valueSpace, values.valueSpace)
        }

        /// Bytes of all prepared queries.
        var allPreparedBytes: Int { (rows + tile - 1) / max(1, tile) * preparedBytes }

        private var floats: Int {
            tile * (blockEntries + 2) + rows * valueSpace + Segment.vectorFloats + blockEntries
        }

        /// Bytes of it; no two threads share a cache line.
        var byteCount: Int { allPreparedBytes + (floats * 4 + 127) / 64 * 64 }
    }

    let tile: Int
    /// Prepared queries, tile by tile.
    private let prepared: UnsafeMutableRawPointer
    private let preparedBytes: Int
    /// Logits of a block, then weights: tile x 64.
    let logits: UnsafeMutablePointer<Float>
    /// Expanded per-entry vectors of a block.
    let vectors: UnsafeMutablePointer<Float>
    /// What earlier sums are multiplied with, per row.
    let rescale: UnsafeMutablePointer<Float>
    /// Entries of a block that each row sees.
    let seen: UnsafeMutablePointer<UInt32>
    /// Entries of a block that are read.
    let list: UnsafeMutablePointer<UInt32>
    /// Sums in the codec's value space.
    let sums: UnsafeMutablePointer<Float>

    init(_ shape: Shape, at base: UnsafeMutableRawPointer) {
        tile = shape.tile
        prepared = base
        preparedBytes = shape.preparedBytes
        logits = (base + shape.allPreparedBytes).assumingMemoryBound(to: Float.self)
        vectors = logits + tile * blockEntries
        sums = vectors + Segment.vectorFloats
        rescale = sums + shape.rows * shape.valueSpace
        seen = UnsafeMutableRawPointer(rescale + tile).assumingMemoryBound(to: UInt32.self)
        list = seen + tile
    }

    /// The prepared queries of a tile.
    func prepared(_ rows: Range<Int>) -> UnsafeMutableRawPointer {
        prepared + rows.lowerBound / tile * preparedBytes
    }
}
