/// How the rows of keys or of values are written.
public struct CodecConfiguration: Hashable, Sendable, Codable {
    /// The numbers' format.
    public enum Format: String, Hashable, Sendable, Codable, CaseIterable {
        case f32, f16, bf16, q8, q4

        /// Whether codes under shared scales are stored, not numbers.
        public var isQuantized: Bool { self == .q8 || self == .q4 }
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

    /// A codec of a format with its default parameters.
    public init(_ format: Format) { self.format = format }

    /// The largest magnitude that it can store: scales and zeros of codes are f16.
    ///
    /// - Parameter projected: whether it stores coefficients of the rows instead of the rows.
    func limit(dim: Int, projected: Bool = false) -> Float {
        let largest: Float =
            switch format {
            case .f32: .greatestFiniteMagnitude
            case .bf16: 0x1.FEp127
            case .f16, .q8, .q4: 65504
            }
        // A rotation or a basis may gather a whole row in one element; a percent is for their rounding.
        return rotated || projected ? 0.99 * largest / Float(dim).squareRoot() : largest
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

    /// The stage of a plan that names none: everything in f16.
    public static let plain = EncodeConfiguration(
        keys: CodecConfiguration(.f16), values: CodecConfiguration(.f16))

    /// Creates a stage from its two codecs.
    public init(keys: CodecConfiguration, values: CodecConfiguration) {
        self.keys = keys
        self.values = values
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
