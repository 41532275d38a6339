/// What compression saved, never one number alone.
public struct Report: Sendable, Codable, Equatable {
    /// Least, mean and most of something.
    public struct Spread: Sendable, Codable, Equatable {
        /// The least.
        public var min: Double
        /// The arithmetic mean.
        public var mean: Double
        /// The most.
        public var max: Double
    }

    /// The plan's text.
    public var plan: String
    /// Tokens that went in.
    public var tokens: Int
    /// Bytes that the entries are made of, all side data counted.
    public var storedBytes: Int
    /// Bytes held in memory: the stored ones, padding and slack.
    public var residentBytes: Int
    /// Bytes held in mapped files instead, padding included.
    public var mappedBytes: Int
    /// Bytes of the same cache in f16, in the same kv-head layout.
    public var f16Bytes: Int
    /// `f16Bytes / storedBytes`.
    public var ratio: Double
    /// Stored bits for each number of the original cache.
    public var bitsPerValue: Double
    /// Stored bytes by component.
    public var components: [String: Int]
    /// Kept entries per token, over all layers and heads.
    public var kept: Spread
    /// Kept entries per token, over the heads of each layer.
    public var keptPerLayer: [Spread]
    /// Peak of the library's allocator while compressing; mapped input is not in it.
    public var peakBytes: Int
    /// Wall time of compressing.
    public var seconds: Double
    /// What the user should know: budgets that were clamped and the like.
    public var remarks: [String]

    enum CodingKeys: String, CodingKey {
        case plan, tokens, ratio, components, kept, seconds, remarks
        case storedBytes = "stored_bytes"
        case residentBytes = "resident_bytes"
        case mappedBytes = "mapped_bytes"
        case f16Bytes = "f16_bytes"
        case bitsPerValue = "bits_per_value"
        case keptPerLayer = "kept_per_layer"
        case peakBytes = "peak_bytes"
    }

    init(
        plan: String, tokens: Int, layers: [LayerCache], peakBytes: Int, seconds: Double,
        remarks: [String]
    ) {
        let ledger = Ledger(layers)
        let f16Bytes = layers.reduce(0) {
            $0 + 2 * tokens * $1.geometry.kvHeads * ($1.geometry.keyDim + $1.geometry.valueDim)
        }
        let fractions = layers.map { layer in
            layer.heads.indices.map { Double(layer.entries($0)) / Double(tokens) }
        }
        self.plan = plan
        self.tokens = tokens
        storedBytes = ledger.storedBytes
        residentBytes = ledger.residentBytes
        mappedBytes = ledger.mappedBytes
        self.f16Bytes = f16Bytes
        ratio = Double(f16Bytes) / Double(ledger.storedBytes)
        bitsPerValue = 16 * Double(ledger.storedBytes) / Double(f16Bytes)
        components = Dictionary(
            uniqueKeysWithValues: ledger.components.map { ($0.key.rawValue, $0.value) })
        kept = Spread(Array(fractions.joined()))
        keptPerLayer = fractions.map(Spread.init)
        self.peakBytes = peakBytes
        self.seconds = seconds
        self.remarks = remarks
    }
}

extension Report.Spread {
    init(_ values: [Double]) {
        min = values.min() ?? 0
        max = values.max() ?? 0
        mean = values.reduce(0, +) / Double(Swift.max(values.count, 1))
    }
}
