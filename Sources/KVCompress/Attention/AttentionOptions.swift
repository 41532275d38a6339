/// How attention is computed.
public struct AttentionOptions: Sendable {
    /// Multiplies the logits; nil means 1 / sqrt(key dim).
    public var scale: Float?
    /// Logits become softcap * tanh(logit / softcap); 0 leaves them.
    public var softcap: Float = 0
    /// The position of each query row: it sees entries at or before it.
    ///
    /// Nil: every row sees everything.
    public var positions: [Int32]?
    /// Entries at or before a row's position that are too old for it: it sees so many positions, its own
    /// included.
    ///
    /// Nil: it sees all. Needs `positions`.
    public var slidingWindow: Int?
    /// The threads to use.
    ///
    /// Results do not depend on their number.
    public var workers: Workers = .caller
    /// The level of the kernels.
    ///
    /// Results do not depend on it.
    public var instructionSet: InstructionSet = .best
    /// Adds up what was read and covered, when given.
    public var statistics: AttentionStatistics?
    /// The position of the first query row, the others follow: in the place of `positions`.
    var firstPosition: Int32?

    /// The usual scale, no softcap, no causal mask, the caller's thread, the best kernels.
    public init() {}

    /// Whether rows see what is at or before their positions alone.
    var isCausal: Bool { firstPosition != nil || positions != nil }

    /// The position of a query row, where they have one.
    func position(_ token: Int) -> Int32 {
        firstPosition.map { $0 + Int32(token) } ?? positions![token]
    }
}
