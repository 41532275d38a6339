/// The original positions of a run of entries, ascending.
enum Positions: Sendable {
    /// first, first + 1, ...: costs nothing to store.
    case run(first: Int32)
    /// A part of a stored list that several heads may share.
    case list(PositionList, offset: Int)

    /// A list of its own.
    init(copying positions: [UInt32]) {
        let storage = Storage(copying: positions.map { Int32($0) })
        self = .list(
            PositionList(storage: storage, byteOffset: 0, count: positions.count), offset: 0)
    }

    /// The position of entry `index`.
    func callAsFunction(_ index: Int) -> Int32 {
        switch self {
        case .run(let first): first + Int32(index)
        case .list(let list, let offset): list[offset + index]
        }
    }

    /// How many of `count` entries stand at or before `position`.
    func count(upTo position: Int32, of count: Int) -> Int {
        if case .run(let first) = self { return min(max(0, Int(position) - Int(first) + 1), count) }
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if self(middle) <= position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Stored positions: ascending i32 in somebody's storage.
final class PositionList: Sendable {
    let storage: Storage
    let byteOffset: Int
    let count: Int

    init(storage: Storage, byteOffset: Int, count: Int) {
        self.storage = storage
        self.byteOffset = byteOffset
        self.count = count
    }

    subscript(index: Int) -> Int32 {
        precondition(index >= 0 && index < count)
        return storage.base.loadUnaligned(fromByteOffset: byteOffset + index * 4, as: Int32.self)
    }
}

/// Some entries of one kv head in ascending positions, each a key, a value, a position, and optional
/// per-entry vectors.
struct Segment: Sendable {
    let keys: Store
    let values: Store
    let positions: Positions
    /// ln(votes) of merged entries, or fitted ones; nil when every entry stands for one token.
    var logitBias: EntryVector?
    /// Multiplies the raw logits: the norms of shared key directions.
    var keyScale: EntryVector?
    /// Multiplies the weights: the norms of shared value directions.
    var valueScale: EntryVector?

    var count: Int { keys.count }

    /// Floats that the vectors of a block may need when they are expanded.
    static let vectorFloats = 3 * blockEntries

    /// The per-entry vectors of a block, expanded into scratch of `vectorFloats`.
    func vectors(
        block: Int, scratch: UnsafeMutablePointer<Float>, kernels: Kernels
    ) -> EntryVectors {
        func expanded(_ vector: EntryVector?, _ place: Int) -> UnsafePointer<Float>? {
            guard let vector else { return nil }
            let floats = scratch + place * blockEntries
            vector.expand(
                block * blockEntries..<min(count, (block + 1) * blockEntries), to: floats,
                kernels: kernels)
            return UnsafePointer(floats)
        }
        return EntryVectors(
            logitBias: expanded(logitBias, 0), keyScale: expanded(keyScale, 1),
            valueScale: expanded(valueScale, 2))
    }
}

/// What one kv head holds: segments whose positions are distinct and may interleave.
typealias HeadCache = [Segment]

/// One layer of a cache in any form: plain, compressed or a mix.
struct LayerCache: Sendable {
    let geometry: LayerGeometry
    var heads: [HeadCache]
    /// Which entries queries read; nil when they read all.
    var placement: (any Placement)?

    /// Entries of a head.
    func entries(_ head: Int) -> Int { heads[head].reduce(0) { $0 + $1.count } }

    /// A full layer, seen where it lies: no copies, positions from `firstPosition`.
    init(viewing layer: CacheLayer, firstPosition: Int = 0) {
        geometry = layer.geometry
        heads = zip(layer.keys, layer.values).map { keys, values in
            [
                Segment(
                    keys: Store(viewing: keys, side: .keys),
                    values: Store(viewing: values, side: .values),
                    positions: .run(first: Int32(firstPosition)))
            ]
        }
    }

    init(geometry: LayerGeometry, heads: [HeadCache]) {
        self.geometry = geometry
        self.heads = heads
    }
}
