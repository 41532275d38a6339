/// How the entries of one head are cut into segments: what is coded, and what stays in f16 behind it.
///
/// Coded entries come first; then those that do not fill a per-channel group, in f16 on the sides that
/// are coded per channel (KIVI's tail); then the window of the newest entries in f16.
struct HeadLayout {
    struct Part {
        let entries: Range<Int>
        let keys: any Codec
        let values: any Codec
    }

    let parts: [Part]

    init(entries: Int, geometry: LayerGeometry, encode: EncodeConfiguration, protected: Bool) {
        let plain = CodecConfiguration(.f16)
        let encode = protected ? .plain : encode
        let window = min(encode.window, entries)
        let coded = entries - window
        let keys = encode.keys.codec(.keys, dim: geometry.keyDim)
        let values = encode.values.codec(.values, dim: geometry.valueDim)
        // Groups are powers of two, so the larger multiple serves both sides.
        let whole = coded - coded % max(keys.entryMultiple, values.entryMultiple)
        func tail(_ configuration: CodecConfiguration, _ side: Side, _ dim: Int) -> any Codec {
            (configuration.axis == .channel && configuration.format.isQuantized
                ? plain : configuration)
                .codec(side, dim: dim)
        }
        let plainKeys = plain.codec(.keys, dim: geometry.keyDim)
        let plainValues = plain.codec(.values, dim: geometry.valueDim)
        parts = [
            Part(entries: 0..<whole, keys: keys, values: values),
            Part(
                entries: whole..<coded, keys: tail(encode.keys, .keys, geometry.keyDim),
                values: tail(encode.values, .values, geometry.valueDim)),
            Part(entries: coded..<entries, keys: plainKeys, values: plainValues),
        ].filter { !$0.entries.isEmpty }
    }

    /// Whether a layer is one of the first or last that stay in f16.
    static func isProtected(_ layer: Int, of layers: Int, by encode: EncodeConfiguration) -> Bool {
        layer < encode.protect || layer >= layers - encode.protect
    }

    /// The most that a head of up to `entries` entries stores, positions apart.
    ///
    /// A tail in f16 can take more than the group that one more entry would make of it.
    static func mostStoredBytes(
        entries: Int, geometry: LayerGeometry, encode: EncodeConfiguration, protected: Bool
    ) -> Int {
        func stored(_ count: Int) -> Int {
            HeadLayout(
                entries: count, geometry: geometry, encode: encode, protected: protected
            ).storedBytes
        }
        let multiple = max(
            encode.keys.codec(.keys, dim: geometry.keyDim).entryMultiple,
            encode.values.codec(.values, dim: geometry.valueDim).entryMultiple)
        let longestTail = entries - max(0, entries - encode.window) % multiple - 1
        return max(stored(entries), stored(max(0, longestTail)))
    }

    /// Stored bytes of keys and values, positions apart.
    var storedBytes: Int {
        parts.reduce(0) { total, part in
            let n = part.entries.count
            return total
                + part.keys.storedBytes(n).values.reduce(0, +)
                + part.values.storedBytes(n).values.reduce(0, +)
        }
    }
}
