/// What an evict stage keeps: for every layer and kv head the ascending indices of its tokens.
public struct Selection: Sendable, Equatable {
    /// `kept[layer][head]`, ascending, never empty.
    public var kept: [[[UInt32]]]
    /// `representatives[layer]`, ascending: the tokens that KVCrush keeps for others, the same in all heads.
    var representatives: [[UInt32]]?
    /// Remarks for the report, such as a budget that had to be clamped.
    public var remarks: [String] = []

    /// Creates a selection.
    public init(kept: [[[UInt32]]], remarks: [String] = []) {
        self.kept = kept
        self.remarks = remarks
    }

    /// Everything of a cache.
    public static func all(of cache: Cache) -> Selection {
        let every = (0..<UInt32(cache.tokens)).map { $0 }
        return Selection(
            kept: cache.layers.map { [[UInt32]](repeating: every, count: $0.keys.count) }
        )
    }
}
