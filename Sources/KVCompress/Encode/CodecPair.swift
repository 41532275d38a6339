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

    /// Whether a layer is one of the first or last that stay in f16.
    func protects(_ layer: Int, of layers: Int) -> Bool {
        layer < protect || layer >= layers - protect
    }

    /// The most that a head of up to `entries` entries stores, positions apart.
    ///
    /// A tail in f16 can take more than the group that one more entry would make of it.
    func mostStoredBytes(_ entries: Int, _ geometry: LayerGeometry, protected: Bool) -> Int {
        let longestTail = max(0, entries - window)
        let multiple = longestTail - main.whole(longestTail)
        return max(
            storedBytes(entries, geometry, protected: protected),
            storedBytes(max(0, entries - multiple - 1), geometry, protected: protected))
    }

    /// What a head of so many entries stores, positions apart.
    func storedBytes(_ entries: Int, _ geometry: LayerGeometry, protected: Bool) -> Int {
        let codecs = protected ? .plain : main
        let window = min(protected ? 0 : self.window, entries)
        let whole = codecs.whole(entries - window)
        return codecs.storedBytes(whole, geometry)
            + codecs.tail.storedBytes(entries - window - whole, geometry)
            + CodecPair.plain.storedBytes(window, geometry)
    }
}
