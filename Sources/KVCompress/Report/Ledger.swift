/// What every byte of a cache is: the truth behind ratios.
public struct Ledger: Sendable, Equatable {
    /// Bytes that the entries are made of, by component; padding is not in here.
    public internal(set) var components: [Component: Int] = [:]
    /// Bytes that the cache holds in memory, padding and slack included.
    public internal(set) var residentBytes = 0
    /// Bytes that the cache holds in mapped files, padding included.
    public internal(set) var mappedBytes = 0

    /// The sum of the components: what ratio and bits per value are made of.
    public var storedBytes: Int { components.values.reduce(0, +) }

    /// Counts layers.
    ///
    /// A store, list, vector or basis that several segments share is counted once.
    init(_ layers: [LayerCache]) {
        var places: Set<Place> = []
        var storages: Set<ObjectIdentifier> = []
        /// Counts bytes that stand at a place, unless they have been counted.
        func count(_ storage: Storage, _ offset: Int, _ bytes: @autoclosure () -> [Component: Int])
        {
            guard places.insert(Place(storage: ObjectIdentifier(storage), offset: offset)).inserted
            else { return }
            for (component, bytes) in bytes() { components[component, default: 0] += bytes }
            if storages.insert(ObjectIdentifier(storage)).inserted {
                if storage.isMapped {
                    mappedBytes += storage.byteCount
                } else {
                    residentBytes += storage.byteCount
                }
            }
        }
        for segment in layers.lazy.flatMap({ $0.heads.joined() }) {
            for store in [segment.keys, segment.values] {
                count(store.storage, store.byteOffset, store.codec.storedBytes(store.count))
                if let basis = store.codec.basis {
                    count(basis.storage, basis.byteOffset, [.bases: basis.byteCount])
                }
            }
            if case .list(let list, _) = segment.positions {
                count(list.storage, list.byteOffset, [.positions: list.count * 4])
            }
            let vectors: [(EntryVector?, Component)] = [
                (segment.logitBias, .votes), (segment.keyScale, .keyNorms),
                (segment.valueScale, .valueNorms),
            ]
            for (vector, component) in vectors {
                guard let vector else { continue }
                count(
                    vector.storage, vector.byteOffset,
                    [component: EntryVector.bytes(vector.count)])
            }
        }
    }

    /// Where something stands: what is counted once.
    private struct Place: Hashable {
        let storage: ObjectIdentifier
        let offset: Int
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
            let protected = encode.protects(layer, of: counts.count)
            for (head, count) in heads.enumerated() {
                if count < tokens {
                    bytes += encode.mostStoredBytes(count, geometry[layer], protected: protected)
                    bytes += head == 0 || !sharedPositions ? count * 4 : 0
                } else {
                    bytes += encode.storedBytes(count, geometry[layer], protected: protected)
                }
            }
        }
        return bytes
    }
}
