/// The text of an archive: enough to find and check every store again.
struct Manifest: Codable {
    /// Bytes in one of the archive's sections, which `sections` names.
    struct Place: Codable {
        var section: Int
        var offset: Int
    }

    struct BasisEntry: Codable {
        var kind: Basis.Kind
        var place: Place
        var rank: Int
        /// What is undone before keys are mapped.
        var rope: RoPE?
    }

    struct StoreEntry: Codable {
        var codec: CodecConfiguration
        var place: Place
        /// The maps between rows and what is stored of them, in the order of encoding.
        var bases: [BasisEntry]
    }

    struct VectorEntry: Codable {
        var format: EntryVector.Format
        var place: Place
    }

    struct SegmentEntry: Codable {
        var count: Int
        var keys: StoreEntry
        var values: StoreEntry
        /// First position of a run, or nil and the place of a list.
        var first: Int32?
        var list: Place?
        var logitBias: VectorEntry?
        var keyScale: VectorEntry?
        var valueScale: VectorEntry?
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
    /// Names of the archive's sections.
    var sections: [String]
    var layers: [LayerEntry]
    /// What a session needs to go on; nil when the cache is no snapshot of one.
    var session: SavedSession<Place>?
}
