/// Something in the data or the plan that makes a request impossible.
///
/// Bad data throws one of these; a programmer's mistake (an index out of range) traps.
public struct CompressionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is, for programs.
    public struct Code: Hashable, Sendable {
        private enum Kind { case plan, cache, queries, values, archive, layer, place, session }
        private let kind: Kind

        /// The plan's text or combination of stages is not legal.
        public static let plan = Code(kind: .plan)
        /// The cache's shape is not usable: empty, ragged or different between tensors.
        public static let cache = Code(kind: .cache)
        /// A method needs queries that the cache does not carry.
        public static let queries = Code(kind: .queries)
        /// A number is not finite, or too large for the format it would be stored in.
        public static let values = Code(kind: .values)
        /// Stored bytes do not describe a compressed cache.
        public static let archive = Code(kind: .archive)
        /// A request does not fit the layer it is made of: its heads, head dim or positions.
        public static let layer = Code(kind: .layer)
        /// The file that values should live in cannot be made: its directory, or no room.
        public static let place = Code(kind: .place)
        /// A session is asked for what its order of calls does not allow.
        public static let session = Code(kind: .session)
    }

    /// What kind of trouble it is.
    public let code: Code
    /// What was wrong, where, and what is valid: one line for people.
    public let description: String

    /// Creates an error of a kind with its one-line explanation.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

extension CompressionError {
    /// A number that a plan cannot store, and where it stands.
    static func beyond(_ limit: Float, _ number: Float, _ place: String) -> CompressionError {
        CompressionError(
            .values,
            "\(place): \(number) "
                + (number.isFinite
                    ? "is beyond \(limit), the largest that the plan can store" : "is not finite"))
    }
}
