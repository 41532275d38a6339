/// A share of something, kept exactly as millionths: `12.5%` is 125,000.
public struct Share: Hashable, Sendable, CustomStringConvertible {
    /// Millionths of the whole, at most 1,000,000.
    public let millionths: Int

    /// A share of so many millionths; traps below 0 and above 1,000,000.
    public init(millionths: Int) {
        precondition((0...1_000_000).contains(millionths))
        self.millionths = millionths
    }

    /// The share in a text such as `25%` or `12.5%` with at most four decimals; nil when it is none.
    init?(_ text: String) {
        guard text.hasSuffix("%") else { return nil }
        let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = wholeNumber(parts[0]), whole <= 100 else {
            return nil
        }
        var fraction = 0
        if parts.count == 2 {
            guard parts[1].count <= 4, let digits = wholeNumber(parts[1]) else { return nil }
            fraction = (0..<(4 - parts[1].count)).reduce(digits) { value, _ in value * 10 }
        }
        guard whole * 10_000 + fraction <= 1_000_000 else { return nil }
        millionths = whole * 10_000 + fraction
    }

    /// The share of a number of things: floor(share * count + 1/2), in integers.
    public func of(_ count: Int) -> Int {
        (2 * millionths * count + 1_000_000) / 2_000_000
    }

    /// The canonical text.
    public var description: String {
        let fraction = millionths % 10_000
        guard fraction > 0 else { return "\(millionths / 10_000)%" }
        var digits = String(fraction)
        digits = String(repeating: "0", count: 4 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(millionths / 10_000).\(digits)%"
    }
}

/// How much an eviction may keep.
public enum Budget: Hashable, Sendable, CustomStringConvertible {
    /// A share of the tokens, for every head: `25%`.
    case share(Share)
    /// Tokens for every head: `512`.
    case tokens(Int)
    /// Stored bytes of the whole compressed cache: `64MiB`.
    case bytes(Int)

    private static let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]

    /// The budget in a text; nil when it is none, as 0 and more than 100% are.
    init?(_ text: String) {
        if let share = Share(text), share.millionths > 0 {
            self = .share(share)
        } else if let tokens = wholeNumber(text), tokens > 0 {
            self = .tokens(tokens)
        } else if let (unit, size) = Self.units.first(where: { text.hasSuffix($0.0) }),
            let number = wholeNumber(text.dropLast(unit.count)), number > 0,
            number <= Int.max / size
        {
            self = .bytes(number * size)
        } else {
            return nil
        }
    }

    /// The canonical text.
    public var description: String {
        switch self {
        case .share(let share): return share.description
        case .tokens(let tokens): return "\(tokens)"
        case .bytes(let bytes):
            let (unit, size) = Self.units.first { bytes % $0.1 == 0 } ?? ("B", 1)
            return "\(bytes / size)\(unit)"
        }
    }
}

/// A number of tokens, given as such or as a share of the cache's tokens.
public enum Amount: Hashable, Sendable, CustomStringConvertible {
    /// So many tokens: `64`.
    case tokens(Int)
    /// A share of the tokens given to the plan: `10%`.
    case share(Share)

    init?(_ text: String) {
        if let tokens = wholeNumber(text) {
            self = .tokens(tokens)
        } else if let share = Share(text) {
            self = .share(share)
        } else {
            return nil
        }
    }

    /// The tokens that this means in a cache of so many.
    func of(_ total: Int) -> Int {
        switch self {
        case .tokens(let tokens): tokens
        case .share(let share): share.of(total)
        }
    }

    /// The canonical text.
    public var description: String {
        switch self {
        case .tokens(let tokens): "\(tokens)"
        case .share(let share): share.description
        }
    }
}

/// The number that plain digits write; nil for signs, blanks, anything else, and what does not fit.
func wholeNumber(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(text)
}

/// The finite number that decimal digits write, perhaps with a sign, a point and an exponent.
func decimalNumber(_ text: String) -> Double? {
    guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }),
        let number = Double(text), number.isFinite
    else { return nil }
    return number + 0  // there is one zero
}

/// The shortest text that reads back as the same number.
func decimalText(_ number: Double) -> String {
    let text = "\(number)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
