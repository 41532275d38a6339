/// ZipCache (arXiv 2405.14256): salient tokens keep more bits than others, keys per channel, values per token
/// after their channels were made alike.
public struct ZipCache: Hashable, Sendable, Codable {
    /// The share of a head's coded entries that count as salient.
    public var salient: Share
    /// Bits of a code of salient entries.
    public var bits: CodecConfiguration.Format
    /// Bits of a code of the others.
    public var others: CodecConfiguration.Format
    /// Tokens of a key channel under one scale: 32, 64 or 128.
    public var group: Int
    /// Another seed, other probe queries.
    public var seed: Int

    /// How entries of a format are written: asymmetric, keys in groups of a channel's tokens, values in whole
    /// rows (up to 128 elements) of balanced channels.
    func codecs(_ format: CodecConfiguration.Format) -> CodecPair {
        var keys = CodecConfiguration(format), values = CodecConfiguration(format)
        keys.asymmetric = true
        keys.axis = .channel
        keys.group = group
        values.asymmetric = true
        values.group = 128
        values.balanced = true
        return CodecPair(keys: keys, values: values)
    }

    /// The classes of a head's entries, 0 for salient ones: those that received most attention from the probe
    /// queries, normalised by how many could see them (section 4.2); ties to the lower index.
    ///
    /// Entries of the window, which are not coded, and those at positions that another rule judges are not
    /// judged.
    func classes(
        of draft: HeadDraft, except others: Set<UInt32> = [], window: Int, layer: Int, head: Int,
        observation: Observation
    ) -> [UInt8] {
        let received = observation.attention(Probe(seed: seed), layer: layer, head: head)
        let coded = draft.count - min(window, draft.count)
        let order = (0..<coded).filter { !others.contains(draft.positions[$0]) }.sorted { a, b in
            let (x, y) = (received[Int(draft.positions[a])], received[Int(draft.positions[b])])
            return x != y ? x > y : a < b
        }
        var classes = [UInt8](repeating: 1, count: draft.count)
        for entry in order.prefix(salient.of(order.count)) { classes[entry] = 0 }
        return classes
    }
}
