/// Writes what stands beside keys and values, positions and per-entry vectors, into one allocation; equal
/// lists are stored once.
struct EntryWriter {
    /// Where positions will be.
    enum PositionPlace {
        case run(Int32)
        case list(offset: Int)
    }

    /// Where a vector will be.
    struct VectorPlace {
        let format: EntryVector.Format
        let offset: Int
        let count: Int
    }

    private var positions: [[UInt32]: Int] = [:]
    private var vectors: [EntryVector.Format: [[Float]: Int]] = [:]
    private var byteCount = 0

    private mutating func reserve(_ bytes: Int) -> Int {
        let offset = (byteCount + 63) / 64 * 64
        byteCount = offset + bytes
        return offset
    }

    /// Plans ascending positions; neighbours of each other need no list.
    mutating func add(_ list: [UInt32]) -> PositionPlace {
        if Int(list.last!) - Int(list.first!) == list.count - 1 { return .run(Int32(list.first!)) }
        let offset = positions[list] ?? reserve(list.count * 4)
        positions[list] = offset
        return .list(offset: offset)
    }

    /// Plans a vector.
    mutating func add(_ numbers: [Float], _ format: EntryVector.Format) -> VectorPlace {
        let offset =
            vectors[format]?[numbers] ?? reserve(EntryVector.bytes(numbers.count))
        vectors[format, default: [:]][numbers] = offset
        return VectorPlace(format: format, offset: offset, count: numbers.count)
    }

    /// Writes everything.
    func write(allocator: Allocator, kernels: Kernels) -> WrittenEntries {
        let storage = allocator.allocate(byteCount)
        var lists: [Int: PositionList] = [:]
        for (list, offset) in positions {
            for (index, position) in list.enumerated() {
                storage.base.storeBytes(
                    of: Int32(position), toByteOffset: offset + index * 4, as: Int32.self)
            }
            lists[offset] = PositionList(
                storage: storage, byteOffset: offset, count: list.count)
        }
        for (format, places) in vectors {
            for (numbers, offset) in places {
                EntryVector(
                    format: format, storage: storage, byteOffset: offset, count: numbers.count
                ).write(numbers, kernels: kernels)
            }
        }
        return WrittenEntries(storage: storage, lists: lists)
    }
}

/// What an `EntryWriter` wrote.
struct WrittenEntries {
    let storage: Storage
    let lists: [Int: PositionList]

    func positions(_ place: EntryWriter.PositionPlace) -> Positions {
        switch place {
        case .run(let first): .run(first: first)
        case .list(let offset): .list(lists[offset]!, offset: 0)
        }
    }

    func vector(_ place: EntryWriter.VectorPlace) -> EntryVector {
        EntryVector(
            format: place.format, storage: storage, byteOffset: place.offset, count: place.count)
    }
}
