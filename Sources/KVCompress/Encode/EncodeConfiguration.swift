/// How the rows of keys or of values are written.
public struct CodecConfiguration: Hashable, Sendable, Codable {
    /// The numbers' format.
    public enum Format: String, Hashable, Sendable, Codable, CaseIterable {
        case f32, f16, bf16, q8, q4, q3, q2

        /// Bits of a code under a shared scale; nil where numbers are stored.
        public var codeBits: Int? {
            switch self {
            case .f32, .f16, .bf16: nil
            case .q8: 8
            case .q4: 4
            case .q3: 3
            case .q2: 2
            }
        }

        /// Whether codes under shared scales are stored, not numbers.
        public var isQuantized: Bool { codeBits != nil }
    }

    /// What shares a scale.
    public enum Axis: String, Hashable, Sendable, Codable, CaseIterable {
        /// Neighbouring elements of one token's row.
        case token = "per-token"
        /// Neighbouring tokens of one channel (KIVI's keys).
        case channel = "per-channel"
    }

    /// The numbers' format.
    public var format: Format
    /// Codes under one scale: 32, 64 or 128.
    ///
    /// A row's last group may be shorter.
    public var group: Int = 32
    /// What shares a scale.
    public var axis: Axis = .token
    /// Codes around a stored minimum instead of around 0.
    public var asymmetric: Bool = false
    /// Rows are Hadamard-rotated before they are written, queries and outputs accordingly.
    public var rotated: Bool = false
    /// A random rotation and a codebook of levels in place of even steps.
    ///
    /// Such codes are per token, symmetric, in groups of 128, and need no other rotation.
    public var turboquant: TurboQuant?
    /// Channels are divided by the root of their largest magnitude before rows are written (ZipCache).
    public var balanced: Bool = false

    /// A codec of a format with its default parameters.
    public init(_ format: Format) { self.format = format }

    /// Whether there is such a codec.
    var isValid: Bool {
        guard [32, 64, 128].contains(group) else { return false }
        guard turboquant != nil else { return true }
        return [.q4, .q3, .q2].contains(format) && group == TurboQuant.group && axis == .token
            && !asymmetric && !rotated
    }

    /// Whether rows go through a basis of the codec's own before they are written.
    var wantsBasis: Bool { balanced || turboquant?.rotation == .qr }

    /// The largest magnitude that it can store: scales and zeros of codes are f16.
    ///
    /// - Parameter projected: whether it stores coefficients of the rows instead of the rows.
    func limit(dim: Int, projected: Bool = false) -> Float {
        let largest: Float =
            switch format {
            case .f32: .greatestFiniteMagnitude
            case .bf16: 0x1.FEp127
            case .f16, .q8, .q4, .q3, .q2: 65504
            }
        // A rotation or a basis may gather a whole row in one element; a percent is for their rounding.
        return rotated || projected || turboquant != nil
            ? 0.99 * largest / Float(dim).squareRoot() : largest
    }
}

/// The encode stage of a plan: formats of keys and values, and what stays in full precision.
public struct EncodeConfiguration: Hashable, Sendable, Codable {
    /// How keys are written.
    public var keys: CodecConfiguration
    /// How values are written.
    public var values: CodecConfiguration
    /// The newest entries of every head that stay in f16.
    public var window: Int = 0
    /// The first and the last layers, this many at each end, that stay in f16.
    public var protect: Int = 0
    /// Who decides which entries are written at fewer bits; `keys` and `values` are then how salient ones are.
    public private(set) var zipcache: ZipCache?

    /// The stage of a plan that names none: everything in f16.
    public static let plain = EncodeConfiguration(
        keys: CodecConfiguration(.f16), values: CodecConfiguration(.f16))

    /// Creates a stage from its two codecs.
    public init(keys: CodecConfiguration, values: CodecConfiguration) {
        self.keys = keys
        self.values = values
    }

    /// Creates ZipCache's stage.
    public init(_ zipcache: ZipCache) {
        let salient = zipcache.codecs(zipcache.bits)
        self.init(keys: salient.keys, values: salient.values)
        self.zipcache = zipcache
    }

    /// The largest magnitude that a side can store.
    func limit(_ side: Side, _ geometry: LayerGeometry, projected: Bool = false) -> Float {
        let coded =
            side == .keys
            ? keys.limit(dim: geometry.keyDim, projected: projected)
            : values.limit(dim: geometry.valueDim, projected: projected)
        return window > 0 || protect > 0
            ? min(coded, CodecConfiguration(.f16).limit(dim: 1)) : coded
    }
}
