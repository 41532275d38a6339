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
        /// Query rows that share one pass over a block.
        let tile: Int
        /// Bytes of a tile's prepared queries.
        var preparedBytes = 0
        /// Elements of an accumulator in the codec's value space.
        var valueSpace = 0

        /// Makes room for a segment of these codecs.
        mutating func include(_ keys: any Codec, _ values: any Codec) {
            preparedBytes = max(preparedBytes, keys.preparedBytes(rows: tile))
            valueSpace = max(valueSpace, values.valueSpace)
        }

        private var floats: Int {
            tile * (blockEntries + 2 + valueSpace) + Segment.vectorFloats + blockEntries
        }

        /// Bytes of it; no two threads share a cache line.
        var byteCount: Int { (preparedBytes + 63) / 64 * 64 + (floats * 4 + 127) / 64 * 64 }
    }

    let tile: Int
    let prepared: UnsafeMutableRawPointer
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
        logits = (base + (shape.preparedBytes + 63) / 64 * 64).assumingMemoryBound(to: Float.self)
        vectors = logits + tile * blockEntries
        sums = vectors + Segment.vectorFloats
        rescale = sums + tile * shape.valueSpace
        seen = UnsafeMutableRawPointer(rescale + tile).assumingMemoryBound(to: UInt32.self)
        list = seen + tile
    }
}
