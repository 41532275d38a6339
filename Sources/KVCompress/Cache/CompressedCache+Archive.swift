import Foundation

/// The text of an archive: enough to find and check every store again.
private struct Manifest: Codable {
    struct StoreEntry: Codable {
        var codec: CodecConfiguration
        var offset: Int
    }

    struct SegmentEntry: Codable {
        var count: Int
        var keys: StoreEntry
        var values: StoreEntry
        /// First position of a run, or nil and the place of a list.
        var first: Int32?
        var list: Int?
    }

    struct LayerEntry: Codable {
        var geometry: LayerGeometry
        var heads: [[SegmentEntry]]
    }

    var plan: Plan
    var tokens: Int
    var peakBytes: Int
    var seconds: Double
    var remarks: [String]
    var metadata: [String: String]
    var layers: [LayerEntry]
}

extension CompressedCache {
    /// Takes the cache apart for storage; nothing is copied but the manifest.
    public func archive() -> Archive {
        var sections: [Archive.Section] = []
        let entries = layers.enumerated().map { index, layer in
            // Every layer is one allocation.
            if let storage = layer.heads.first?.first?.keys.storage {
                sections.append(Archive.Section(name: "layer.\(index)", storage: storage))
            }
            let heads = layer.heads.map { segments in
                segments.map { segment in
                    var entry = Manifest.SegmentEntry(
                        count: segment.count,
                        keys: .init(
                            codec: segment.keys.codec.configuration, offset: segment.keys.byteOffset
                        ),
                        values: .init(
                            codec: segment.values.codec.configuration,
                            offset: segment.values.byteOffset))
                    switch segment.positions {
                    case .run(let first): entry.first = first
                    case .list(let list, let offset): entry.list = list.byteOffset + offset * 4
                    }
                    return entry
                }
            }
            return Manifest.LayerEntry(geometry: layer.geometry, heads: heads)
        }
        let manifest = Manifest(
            plan: plan, tokens: tokens, peakBytes: report.peakBytes, seconds: report.seconds,
            remarks: report.remarks, metadata: metadata, layers: entries)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(manifest) else {
            preconditionFailure("a manifest holds only finite numbers and strings")
        }
        return Archive(manifest: Array(text), sections: sections)
    }

    /// Puts a cache together again, after checking that every store lies inside its section.
    ///
    /// - Throws: `CompressionError` of code `.archive`, naming the layer and head, when the manifest and
    ///   the sections do not describe a cache.
    public init(archive: Archive) throws(CompressionError) {
        let manifest: Manifest
        do {
            manifest = try JSONDecoder().decode(Manifest.self, from: Data(archive.manifest))
        } catch {
            throw CompressionError(.archive, "the manifest is not a KVCompress manifest: \(error)")
        }
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
        var layers: [LayerCache] = []
        for (index, entry) in manifest.layers.enumerated() {
            guard let section = archive.sections.first(where: { $0.name == "layer.\(index)" })
            else {
                throw CompressionError(.archive, "section layer.\(index) is missing")
            }
            guard UInt(bitPattern: section.storage.base) % 64 == 0 else {
                throw CompressionError(
                    .archive, "section layer.\(index) is not aligned to 64 bytes")
            }
            layers.append(
                try Self.layer(entry, index, in: section.storage, tokens: manifest.tokens))
        }
        let report = Report(
            plan: manifest.plan.description, tokens: manifest.tokens, layers: layers,
            peakBytes: manifest.peakBytes, seconds: manifest.seconds, remarks: manifest.remarks)
        self.init(
            plan: manifest.plan, tokens: manifest.tokens, metadata: manifest.metadata,
            report: report,
            layers: layers)
    }

    private static func layer(
        _ entry: Manifest.LayerEntry, _ index: Int, in storage: Storage, tokens: Int
    ) throws(CompressionError) -> LayerCache {
        let geometry = entry.geometry
        guard (1...1024).contains(geometry.keyDim), (1...1024).contains(geometry.valueDim),
            geometry.kvHeads == entry.heads.count, geometry.kvHeads > 0
        else {
            throw CompressionError(.archive, "layer \(index): impossible geometry \(geometry)")
        }
        var heads: [HeadCache] = []
        var lists: [Int: PositionList] = [:]
        for (head, segments) in entry.heads.enumerated() {
            func fail(_ what: String) -> CompressionError {
                CompressionError(.archive, "layer \(index), head \(head): \(what)")
            }
            var cache: HeadCache = []
            var last: Int32 = -1
            for segment in segments {
                guard segment.count > 0, segment.count <= tokens else {
                    throw fail(
                        "a segment of \(segment.count) entries in a cache of \(tokens) tokens")
                }
                func store(
                    _ entry: Manifest.StoreEntry, _ side: Side, _ dim: Int
                ) throws(CompressionError) -> Store {
                    guard [32, 64, 128].contains(entry.codec.group) else {
                        throw fail("quantizer group \(entry.codec.group); valid is 32, 64, 128")
                    }
                    let codec = entry.codec.codec(side, dim: dim)
                    guard segment.count % codec.entryMultiple == 0 else {
                        throw fail("\(segment.count) entries do not fill per-channel groups")
                    }
                    let bytes = codec.allocatedBytes(segment.count)
                    guard entry.offset >= 0, entry.offset % 64 == 0,
                        entry.offset <= storage.byteCount,
                        bytes <= storage.byteCount - entry.offset
                    else { throw fail("\(bytes) bytes at \(entry.offset) lie outside the section") }
                    return Store(
                        codec: codec, storage: storage, byteOffset: entry.offset,
                        count: segment.count)
                }
                let positions: Positions
                switch (segment.first, segment.list) {
                case (let first?, nil):
                    guard first >= 0 else { throw fail("position \(first)") }
                    positions = .run(first: first)
                case (nil, let place?):
                    guard place >= 0, place % 4 == 0, place <= storage.byteCount,
                        segment.count * 4 <= storage.byteCount - place
                    else { throw fail("positions at \(place) lie outside the section") }
                    let list =
                        lists[place]
                        ?? PositionList(
                            storage: storage, byteOffset: place, count: segment.count)
                    guard list.count == segment.count else {
                        throw fail("two lengths of one position list")
                    }
                    lists[place] = list
                    positions = .list(list, offset: 0)
                default: throw fail("a segment needs either a first position or a list")
                }
                if case .run(let first) = positions {
                    guard first > last, Int(first) + segment.count <= tokens else {
                        throw fail(
                            "positions from \(first) do not fit \(tokens) tokens in ascending order"
                        )
                    }
                    last = first + Int32(segment.count) - 1
                } else {
                    for entry in 0..<segment.count {
                        let position = positions(entry)
                        guard position > last, Int(position) < tokens else {
                            throw fail(
                                "position \(position) after \(last) in a cache of \(tokens) tokens")
                        }
                        last = position
                    }
                }
                cache.append(
                    Segment(
                        keys: try store(segment.keys, .keys, geometry.keyDim),
                        values: try store(segment.values, .values, geometry.valueDim),
                        positions: positions))
            }
            guard !cache.isEmpty else { throw fail("no entries") }
            heads.append(cache)
        }
        return LayerCache(geometry: geometry, heads: heads)
    }
}
