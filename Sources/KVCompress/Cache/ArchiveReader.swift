/// Puts the layers of an archive together, believing nothing that the manifest says before it is checked.
struct ArchiveReader {
    private let manifest: Manifest
    private let sections: [Storage]
    /// Lists and bases that several segments share are one object again.
    private var lists: [Key: PositionList] = [:]

    private struct Key: Hashable {
        let section: Int
        let offset: Int
    }

    /// Finds the sections that the manifest names.
    init(_ manifest: Manifest, _ sections: [Archive.Section]) throws(CompressionError) {
        guard manifest.tokens > 0, manifest.tokens <= Int(Int32.max), !manifest.layers.isEmpty
        else {
            throw CompressionError(
                .archive,
                "the manifest names \(manifest.layers.count) layers of \(manifest.tokens) tokens")
        }
        // So that no sum of bytes over tokens, heads and dims overflows.
        guard manifest.layers.reduce(0, { $0 + $1.heads.count }) <= 1 << 19 else {
            throw CompressionError(.archive, "the manifest names more than \(1 << 19) heads")
        }
        var found: [Storage] = []
        for name in manifest.sections {
            guard let section = sections.first(where: { $0.name == name }) else {
                throw CompressionError(.archive, "section \(name) is missing")
            }
            guard UInt(bitPattern: section.storage.base) % 64 == 0 else {
                throw CompressionError(.archive, "section \(name) is not aligned to 64 bytes")
            }
            found.append(section.storage)
        }
        self.manifest = manifest
        self.sections = found
    }

    /// All layers.
    func layers() throws(CompressionError) -> [LayerCache] {
        var reader = self
        var layers: [LayerCache] = []
        for (index, entry) in manifest.layers.enumerated() {
            layers.append(try reader.layer(entry, index))
        }
        return layers
    }

    /// What a session needs to go on; its numbers are checked when it does.
    func session() throws(CompressionError) -> SavedSession<Storage>? {
        guard let entry = manifest.session else { return nil }
        guard entry.layers.count == manifest.layers.count else {
            throw CompressionError(
                .archive,
                "a session of \(entry.layers.count) layers in a cache of \(manifest.layers.count)")
        }
        return try entry.map { place, what, layer throws(CompressionError) in
            guard place.offset == 0 else {
                throw CompressionError(
                    .archive, "layer \(layer): \(what) start within their section")
            }
            return try section(place, bytes: 0, alignment: 64, "layer \(layer), \(what)")
        }
    }

    private mutating func layer(
        _ entry: Manifest.LayerEntry, _ index: Int
    ) throws(CompressionError) -> LayerCache {
        let geometry = entry.geometry
        guard geometry.isValid, geometry.kvHeads == entry.heads.count else {
            throw CompressionError(.archive, "layer \(index): impossible geometry \(geometry)")
        }
        var heads: [HeadCache] = []
        for (head, segments) in entry.heads.enumerated() {
            let place = "layer \(index), head \(head)"
            var cache: HeadCache = []
            for segment in segments { cache.append(try self.segment(segment, geometry, place)) }
            try checkPositions(of: cache, place)
            heads.append(cache)
        }
        return LayerCache(geometry: geometry, heads: heads)
    }

    private mutating func segment(
        _ entry: Manifest.SegmentEntry, _ geometry: LayerGeometry, _ place: String
    ) throws(CompressionError) -> Segment {
        guard entry.count > 0, entry.count <= manifest.tokens else {
            throw CompressionError(
                .archive,
                "\(place): a segment of \(entry.count) entries in a cache of \(manifest.tokens) tokens"
            )
        }
        let positions = try positions(entry, place)
        return Segment(
            keys: try store(entry.keys, .keys, geometry.keyDim, entry.count, positions, place),
            values: try store(
                entry.values, .values, geometry.valueDim, entry.count, positions, place),
            positions: positions,
            logitBias: try vector(entry.logitBias, entry.count, [.votes, .f16], place),
            keyScale: try vector(entry.keyScale, entry.count, [.f16], place),
            valueScale: try vector(entry.valueScale, entry.count, [.f16], place))
    }

    /// The section of a place that has room for so many bytes.
    private func section(
        _ place: Manifest.Place, bytes: Int, alignment: Int, _ what: String
    ) throws(CompressionError) -> Storage {
        guard sections.indices.contains(place.section) else {
            throw CompressionError(
                .archive, "\(what): section \(place.section) of \(sections.count)")
        }
        let storage = sections[place.section]
        guard place.offset >= 0, place.offset % alignment == 0, place.offset <= storage.byteCount,
            bytes <= storage.byteCount - place.offset
        else {
            throw CompressionError(
                .archive, "\(what): \(bytes) bytes at \(place.offset) lie outside the section")
        }
        return storage
    }

    private func store(
        _ entry: Manifest.StoreEntry, _ side: Side, _ dim: Int, _ count: Int,
        _ positions: Positions, _ place: String
    ) throws(CompressionError) -> Store {
        guard entry.codec.isValid else {
            throw CompressionError(
                .archive,
                "\(place): no codec has group \(entry.codec.group) (valid is 32, 64, 128) and these parts"
            )
        }
        // A shared basis, a projection and what a codec wants: no store has more.
        guard entry.bases.count <= 3 else {
            throw CompressionError(.archive, "\(place): \(entry.bases.count) bases of one store")
        }
        var bases: [Basis] = []
        for basis in entry.bases {
            bases.append(try self.basis(basis, bases.last?.rank ?? dim, place))
        }
        for (number, basis) in bases.enumerated() {
            guard let rope = basis.rope else { continue }
            guard number == 0, side == .keys, rope.isValid(dim: dim) else {
                throw CompressionError(
                    .archive, "\(place): \(rope) on the \(side) of \(dim) elements")
            }
        }
        let codec = entry.codec.codec(side, dim: dim, through: bases, at: positions)
        guard count % codec.entryMultiple == 0 else {
            throw CompressionError(
                .archive, "\(place): \(count) entries do not fill per-channel groups")
        }
        let storage = try section(
            entry.place, bytes: codec.allocatedBytes(count), alignment: 64, place)
        return Store(codec: codec, storage: storage, byteOffset: entry.place.offset, count: count)
    }

    private func basis(
        _ entry: Manifest.BasisEntry, _ dim: Int, _ place: String
    ) throws(CompressionError) -> Basis {
        guard (1...1024).contains(entry.rank), entry.kind == .matrix || entry.rank <= dim,
            entry.kind != .diagonal || entry.rank == dim
        else {
            throw CompressionError(
                .archive, "\(place): a \(entry.kind) basis of rank \(entry.rank) for dim \(dim)")
        }
        let storage = try section(
            entry.place, bytes: Basis.byteCount(entry.kind, rank: entry.rank, dim: dim),
            alignment: 2, place)
        var basis = Basis(
            kind: entry.kind, storage: storage, byteOffset: entry.place.offset, rank: entry.rank,
            dim: dim)
        basis.rope = entry.rope
        guard basis.isUsable else {
            throw CompressionError(
                .archive, "\(place): the channels of a basis are not ascending below \(dim)")
        }
        return basis
    }

    private func vector(
        _ entry: Manifest.VectorEntry?, _ count: Int, _ formats: [EntryVector.Format],
        _ place: String
    ) throws(CompressionError) -> EntryVector? {
        guard let entry else { return nil }
        guard formats.contains(entry.format) else {
            throw CompressionError(.archive, "\(place): a scale that is stored as votes")
        }
        let storage = try section(
            entry.place, bytes: EntryVector.bytes(count), alignment: 2, place)
        return EntryVector(
            format: entry.format, storage: storage, byteOffset: entry.place.offset, count: count)
    }

    private mutating func positions(
        _ entry: Manifest.SegmentEntry, _ place: String
    ) throws(CompressionError) -> Positions {
        switch (entry.first, entry.list) {
        case (let first?, nil):
            guard first >= 0, Int(first) + entry.count <= manifest.tokens else {
                throw CompressionError(
                    .archive,
                    "\(place): \(entry.count) positions from \(first) do not fit \(manifest.tokens) tokens"
                )
            }
            return .run(first: first)
        case (nil, let list?):
            let storage = try section(list, bytes: entry.count * 4, alignment: 4, place)
            let key = Key(section: list.section, offset: list.offset)
            let known =
                lists[key]
                ?? PositionList(storage: storage, byteOffset: list.offset, count: entry.count)
            guard known.count == entry.count else {
                throw CompressionError(.archive, "\(place): two lengths of one position list")
            }
            lists[key] = known
            return .list(known, offset: 0)
        default:
            throw CompressionError(
                .archive, "\(place): a segment needs either a first position or a list")
        }
    }

    /// Positions ascend in every segment, and no two entries of a head have the same.
    private func checkPositions(of head: HeadCache, _ place: String) throws(CompressionError) {
        guard !head.isEmpty else { throw CompressionError(.archive, "\(place): no entries") }
        var all: [Int32] = []
        for segment in head {
            var last: Int32 = -1
            for entry in 0..<segment.count {
                let position = segment.positions(entry)
                guard position > last, Int(position) < manifest.tokens else {
                    throw CompressionError(
                        .archive,
                        "\(place): position \(position) after \(last) in a cache of \(manifest.tokens) tokens"
                    )
                }
                last = position
                all.append(position)
            }
        }
        guard head.count > 1 else { return }
        all.sort()
        for (a, b) in zip(all, all.dropFirst()) where a == b {
            throw CompressionError(.archive, "\(place): two entries at position \(a)")
        }
    }
}

extension Basis {
    /// Whether what is stored can be used without harm: channels ascend below `dim`.
    fileprivate var isUsable: Bool {
        guard kind == .channels else { return true }
        let channels = UnsafeBufferPointer(start: numbers, count: rank)
        return channels.allSatisfy { $0 < dim }
            && zip(channels, channels.dropFirst()).allSatisfy(<)
    }
}
