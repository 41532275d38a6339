/// How keys and values of some entries are written.
struct CodecPair: Hashable, Sendable {
    var keys: CodecConfiguration
    var values: CodecConfiguration

    static let plain = CodecPair(
        keys: CodecConfiguration(.f16), values: CodecConfiguration(.f16))

    subscript(side: Side) -> CodecConfiguration { side == .keys ? keys : values }

    /// Entries come in multiples of this; groups are powers of two, so the larger serves both sides.
    private var multiple: Int { max(keys.entryMultiple, values.entryMultiple) }

    /// How many of so many entries fill whole per-channel groups.
    func whole(_ count: Int) -> Int { count - count % multiple }

    /// How the entries are written that fill none: in f16 on the sides that are coded per channel
    /// (KIVI's tail).
    var tail: CodecPair {
        func tail(_ configuration: CodecConfiguration) -> CodecConfiguration {
            configuration.entryMultiple > 1 ? CodecConfiguration(.f16) : configuration
        }
        return CodecPair(keys: tail(keys), values: tail(values))
    }

    /// Stored bytes of so many coded entries, those included that fill no per-channel group.
    func codedBytes(_ count: Int, _ geometry: LayerGeometry) -> Int {
        storedBytes(whole(count), geometry) + tail.storedBytes(count - whole(count), geometry)
    }

    /// The most that up to so many coded entries store.
    ///
    /// A tail in f16 can take more than the group that one more entry would make of it.
    func mostCodedBytes(_ count: Int, _ geometry: LayerGeometry) -> Int {
        max(codedBytes(count, geometry), codedBytes(max(0, whole(count) - 1), geometry))
    }

    /// Stored bytes of so many entries' keys and values.
    func storedBytes(_ count: Int, _ geometry: LayerGeometry) -> Int {
        func bytes(_ configuration: CodecConfiguration, _ side: Side, _ dim: Int) -> Int {
            configuration.codec(side, dim: dim).storedBytes(count).values.reduce(0, +)
        }
        return bytes(keys, .keys, geometry.keyDim) + bytes(values, .values, geometry.valueDim)
    }
}

extension CodecConfiguration {
    /// Entries come in multiples of this: whole per-channel groups.
    var entryMultiple: Int { format.isQuantized && axis == .channel ? group : 1 }
}

extension EncodeConfiguration {
    var main: CodecPair { CodecPair(keys: keys, values: values) }

    /// What the classes of entries are written in.
    var codecs: [CodecPair] {
        [main] + (zipcache.map { [$0.codecs($0.others)] } ?? [])
    }

    /// How many of so many coded entries are of each class.
    private func counts(_ coded: Int) -> [Int] {
        guard let zipcache else { return [coded] }
        let salient = zipcache.salient.of(coded)
        return [salient, coded - salient]
    }

    /// Of so many entries in a row, those that need positions of their own, as they are of several classes.
    func listedEntries(_ entries: Int) -> Int {
        let coded = entries - min(window, entries)
        return counts(coded).contains(coded) ? 0 : coded
    }

    /// Whether a layer is one of the first or last that stay in f16.
    func protects(_ layer: Int, of layers: Int) -> Bool {
        layer < protect || layer >= layers - protect
    }

    /// The most that a head of up to `entries` entries stores, positions apart.
    func mostStoredBytes(_ entries: Int, _ geometry: LayerGeometry, protected: Bool) -> Int {
        storedBytes(entries, protected: protected, geometry) { $0.mostCodedBytes($1, geometry) }
    }

    /// The most that a head stores when KVCrush's representatives are written in a codec of their own.
    func mostStoredBytes(_ entries: Int, _ geometry: LayerGeometry, _ crush: Crush) -> Int {
        guard let precision = crush.precision else { return 0 }
        let representatives = crush.share.of(entries)
        return mostStoredBytes(entries - representatives, geometry, protected: false)
            + CodecPair(keys: precision, values: precision)
            .mostCodedBytes(representatives, geometry)
    }

    /// What a head of so many entries stores, positions apart.
    func storedBytes(_ entries: Int, _ geometry: LayerGeometry, protected: Bool) -> Int {
        storedBytes(entries, protected: protected, geometry) { $0.codedBytes($1, geometry) }
    }

    private func storedBytes(
        _ entries: Int, protected: Bool, _ geometry: LayerGeometry,
        coded: (CodecPair, Int) -> Int
    ) -> Int {
        guard !protected else { return CodecPair.plain.storedBytes(entries, geometry) }
        let window = min(window, entries)
        return zip(codecs, counts(entries - window)).reduce(0) { $0 + coded($1.0, $1.1) }
            + CodecPair.plain.storedBytes(window, geometry)
    }

    /// The most that the bases of codecs themselves take in all layers together.
    ///
    /// - Parameter projected: whether rows are projected before, on any number of dimensions.
    func basisBytes(_ geometry: [LayerGeometry], projected: Bool) -> Int {
        // Heads behind each matrix, by seed and length.
        var heads: [[Int]: Int] = [:], bytes = 0
        for (layer, shape) in geometry.enumerated() where !protects(layer, of: geometry.count) {
            for (codec, dim) in [(keys, shape.keyDim), (values, shape.valueDim)] {
                if codec.balanced { bytes += 2 * dim * shape.kvHeads }
                if let turboquant = codec.turboquant, turboquant.rotation == .qr {
                    heads[[turboquant.seed, dim], default: 0] += shape.kvHeads
                }
            }
        }
        // Projected rows need a matrix for each of their lengths.
        return heads.reduce(bytes) { bytes, matrix in
            bytes + 2 * matrix.key[1] * matrix.key[1] * (projected ? matrix.value : 1)
        }
    }
}
