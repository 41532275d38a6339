/// What every byte of a cache is: the truth behind ratios.
public struct Ledger: Sendable, Equatable {
    /// Bytes that the entries are made of, by component; padding is not in here.
    public internal(set) var components: [Component: Int] = [:]
    /// Bytes that the cache holds in memory, padding and slack included.
    public internal(set) var residentBytes = 0

    /// The sum of the components: what ratio and bits per value are made of.
    public var storedBytes: Int { components.values.reduce(0, +) }

    /// Counts layers.
    ///
    /// A list or storage that several segments share is counted once.
    init(_ layers: [LayerCache]) {
        var lists: Set<ObjectIdentifier> = []
        var storages: Set<ObjectIdentifier> = []
        for segment in layers.lazy.flatMap({ $0.heads.joined() }) {
            for store in [segment.keys, segment.values] {
                for (component, bytes) in store.codec.storedBytes(store.count) {
                    components[component, default: 0] += bytes
                }
                if storages.insert(ObjectIdentifier(store.storage)).inserted {
                    residentBytes += store.storage.byteCount
                }
            }
            if case .list(let list, _) = segment.positions,
                lists.insert(ObjectIdentifier(list)).inserted
            {
                components[.positions, default: 0] += list.count * 4
            }
            for vector in [segment.logitBias, segment.keyScale, segment.valueScale].compactMap({
                $0
            }) {
                components[.votes, default: 0] += vector.count * 4
                if storages.insert(ObjectIdentifier(vector.storage)).inserted {
                    residentBytes += vector.storage.byteCount
                }
            }
        }
    }

    /// What a layout of counts would store, before anything is encoded.
    ///
    /// An upper bound: every head that drops tokens, or every layer where positions are shared, is taken to
    /// need a list of its own. It never falls when a count grows, but to that of the whole cache.
    static func estimate(
        _ counts: [[Int]], geometry: [LayerGeometry], tokens: Int, encode: EncodeConfiguration,
        sharedPositions: Bool
    ) -> Int {
        var bytes = 0
        for (layer, heads) in counts.enumerated() {
            let protected = HeadLayout.isProtected(layer, of: counts.count, by: encode)
            for (head, count) in heads.enumerated() {
                if count < tokens {
                    bytes += HeadLayout.mostStoredBytes(
                        entries: count, geometry: geometry[layer], encode: encode,
                        protected: protected)
                    bytes += head == 0 || !sharedPositions ? count * 4 : 0
                } else {
                    bytes +=
                        HeadLayout(
                            entries: count, geometry: geometry[layer], encode: encode,
                            protected: protected
                        ).storedBytes
                }
            }
        }
        return bytes
    }
}
