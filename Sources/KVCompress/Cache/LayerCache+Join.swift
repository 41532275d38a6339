extension LayerCache {
    /// Makes one segment of the last ones of every head when they are small and together as long as `entries`.
    ///
    /// Moves bytes, so entries stay what they are. Only segments of whole blocks are joined, of one codec each
    /// side, with neither bases nor numbers beside their entries, that follow each other in position.
    mutating func joinTail(_ entries: Int, allocator: Allocator) {
        let small =
            heads.map { head in
                head.reversed().prefix {
                    $0.count < entries && $0.joins($0) && $0.joins(head[head.count - 1])
                }.count
            }.min() ?? 0
        let parts = heads.map { $0.suffix(small) }
        guard small > 1, parts[0].reduce(0, { $0 + $1.count }) >= entries else { return }
        for (head, parts) in parts.enumerated() {
            guard let joined = Segment(joining: Array(parts), allocator: allocator) else { return }
            heads[head].removeLast(small)
            heads[head].append(joined)
        }
    }
}

extension Segment {
    /// Whether this one's bytes may stand in a store with those of another.
    fileprivate func joins(_ other: Segment) -> Bool {
        count % blockEntries == 0 && logitBias == nil && keyScale == nil && valueScale == nil
            && keys.codec.bases.isEmpty && values.codec.bases.isEmpty
            && keys.codec.configuration == other.keys.codec.configuration
            && values.codec.configuration == other.values.codec.configuration
    }

    /// Segments one behind the other; nil when their positions do not follow each other.
    fileprivate init?(joining parts: [Segment], allocator: Allocator) {
        guard case .run(let first) = parts[0].positions else { return nil }
        var next = first
        for part in parts {
            guard case .run(let start) = part.positions, start == next else { return nil }
            next += Int32(part.count)
        }
        keys = Store(joining: parts.map(\.keys), allocator: allocator)
        values = Store(joining: parts.map(\.values), allocator: allocator)
        positions = .run(first: first)
    }
}

extension Store {
    /// Copies the bytes of stores of one codec, each of whole blocks.
    fileprivate init(joining parts: [Store], allocator: Allocator) {
        let codec = parts[0].codec, total = parts.reduce(0) { $0 + $1.count }
        let storage = allocator.allocate(codec.allocatedBytes(total))
        var first = 0
        for part in parts {
            for (from, to) in zip(
                codec.places(0..<part.count, of: part.count),
                codec.places(first..<first + part.count, of: total))
            {
                precondition(from.count == to.count)
                (storage.base + to.lowerBound).copyMemory(
                    from: part.base + from.lowerBound, byteCount: from.count)
            }
            first += part.count
        }
        self.init(codec: codec, storage: storage, byteOffset: 0, count: total)
    }
}
