import Foundation

extension CompressedCache {
    /// Takes the cache apart for storage; nothing is copied but the manifest.
    public func archive() -> Archive {
        var writer = ArchiveWriter()
        let entries = layers.enumerated().map { index, layer in
            Manifest.LayerEntry(
                geometry: layer.geometry,
                heads: layer.heads.map { $0.map { writer.entry($0, layer: index) } })
        }
        let session = self.session?.map { writer.place($0, 0, $1, layer: $2) }
        let manifest = Manifest(
            plan: plan, tokens: tokens, peakBytes: report.peakBytes, seconds: report.seconds,
            remarks: report.remarks, metadata: metadata, sections: writer.sections.map(\.name),
            layers: entries, session: session)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(manifest) else {
            preconditionFailure("a manifest holds only finite numbers and strings")
        }
        return Archive(manifest: Array(text), sections: writer.sections)
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
        let reader = try ArchiveReader(manifest, archive.sections)
        var layers = try reader.layers()
        for layer in layers.indices { layers[layer].placement = manifest.plan.placement(of: layer) }
        let report = Report(
            plan: manifest.plan.description, tokens: manifest.tokens, layers: layers,
            peakBytes: manifest.peakBytes, seconds: manifest.seconds, remarks: manifest.remarks)
        self.init(
            plan: manifest.plan, tokens: manifest.tokens, metadata: manifest.metadata,
            report: report, layers: layers)
        session = try reader.session()
    }
}

/// Gives every allocation a section when it is first met.
private struct ArchiveWriter {
    private(set) var sections: [Archive.Section] = []
    private var known: [ObjectIdentifier: Int] = [:]
    private var names: Set<String> = []

    mutating func place(
        _ storage: Storage, _ offset: Int, _ role: String, layer: Int
    ) -> Manifest.Place {
        if let section = known[ObjectIdentifier(storage)] {
            return Manifest.Place(section: section, offset: offset)
        }
        let name = "layers.\(layer).\(role)"
        var unique = name, number = 1
        while !names.insert(unique).inserted {
            number += 1
            unique = "\(name).\(number)"
        }
        known[ObjectIdentifier(storage)] = sections.count
        sections.append(Archive.Section(name: unique, storage: storage))
        return Manifest.Place(section: sections.count - 1, offset: offset)
    }

    private mutating func entry(
        _ store: Store, _ role: String, layer: Int
    ) -> Manifest.StoreEntry {
        let bases = store.codec.bases.map { basis in
            Manifest.BasisEntry(
                kind: basis.kind,
                place: place(basis.storage, basis.byteOffset, "bases", layer: layer),
                rank: basis.rank, rope: basis.rope)
        }
        return Manifest.StoreEntry(
            codec: store.codec.configuration,
            place: place(store.storage, store.byteOffset, role, layer: layer), bases: bases)
    }

    private mutating func entry(_ vector: EntryVector?, layer: Int) -> Manifest.VectorEntry? {
        guard let vector else { return nil }
        return Manifest.VectorEntry(
            format: vector.format,
            place: place(vector.storage, vector.byteOffset, "entries", layer: layer))
    }

    mutating func entry(_ segment: Segment, layer: Int) -> Manifest.SegmentEntry {
        var entry = Manifest.SegmentEntry(
            count: segment.count, keys: entry(segment.keys, "keys", layer: layer),
            values: entry(segment.values, "values", layer: layer))
        switch segment.positions {
        case .run(let first): entry.first = first
        case .list(let list, let offset):
            entry.list = place(
                list.storage, list.byteOffset + offset * 4, "entries", layer: layer)
        }
        entry.logitBias = self.entry(segment.logitBias, layer: layer)
        entry.keyScale = self.entry(segment.keyScale, layer: layer)
        entry.valueScale = self.entry(segment.valueScale, layer: layer)
        return entry
    }
}
