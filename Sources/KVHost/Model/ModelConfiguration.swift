import Foundation
import KVFiles

/// The numbers that shape a model of the Llama family.
public struct ModelConfiguration: Sendable {
    /// Transformer layers.
    public var layers: Int
    /// Elements of the residual stream.
    public var width: Int
    /// Query heads of a layer, a multiple of its kv heads.
    public var queryHeads: Int
    /// Heads of a layer that have keys and values.
    public var kvHeads: Int
    /// Elements of a key and of a query.
    public var keyDim: Int
    /// Elements of a value.
    public var valueDim: Int
    /// Elements between the projections of the feed-forward part.
    public var feedForward: Int
    /// Added to the mean square in RMSNorm.
    public var epsilon: Float
    /// How keys and queries are turned by their positions.
    var rotary: Rotary

    /// No model is larger; below, products of two numbers fit easily.
    static let limit = 1 << 24
    /// The longest rows that attention takes.
    static let dimLimit = 1024

    /// Checks that the numbers fit each other.
    ///
    /// - Throws: `FileError` (`.shape`) that names the number.
    func validate(_ file: URL) throws(FileError) {
        func check(_ number: Int, _ what: String, _ valid: ClosedRange<Int>) throws(FileError) {
            guard valid.contains(number) else {
                throw FileError(
                    .shape, file,
                    "\(number) \(what); valid are \(valid.lowerBound)...\(valid.upperBound)")
            }
        }
        try check(layers, "layers", 1...Self.limit)
        try check(width, "elements of the residual stream", 1...Self.limit)
        try check(feedForward, "elements of the feed-forward part", 1...Self.limit)
        try check(kvHeads, "kv heads", 1...Self.dimLimit)
        try check(queryHeads, "query heads", 1...16 * Self.dimLimit)
        try check(keyDim, "elements of a key", 1...Self.dimLimit)
        try check(valueDim, "elements of a value", 1...Self.dimLimit)
        guard queryHeads % kvHeads == 0, queryHeads / kvHeads <= 16 else {
            throw FileError(
                .shape, file,
                "\(queryHeads) query heads for \(kvHeads) kv heads; valid are multiples up to 16")
        }
        guard epsilon.isFinite, epsilon >= 0 else {
            throw FileError(.shape, file, "an RMSNorm epsilon of \(epsilon)")
        }
    }
}
