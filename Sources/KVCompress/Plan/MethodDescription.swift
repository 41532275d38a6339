/// The stages of a plan, in the order that is their law.
public enum Stage: String, Sendable, Codable, CaseIterable, Comparable {
    /// Which tokens are kept.
    case evict
    /// Which of the others stand for the rest: wraps the eviction before it.
    case crush
    /// What becomes of tokens that resemble each other.
    case merge
    /// What layers have in common.
    case share
    /// Fewer dimensions.
    case project
    /// How numbers are written.
    case encode
    /// Repair of what the stages before it lost.
    case fit
    /// Where rows live.
    case place

    /// Whether `a` stands before `b` in a plan.
    public static func < (a: Stage, b: Stage) -> Bool {
        allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
}

/// What a method reads besides keys and values.
public enum Need: String, Sendable, Codable, CaseIterable {
    /// Queries recorded in the cache.
    case queries
}

/// A method of a plan: all that parsing, defaults, printing, error messages and listings know of it.
public struct MethodDescription: Sendable, Encodable {
    /// The word in a plan.
    public let name: String
    /// Where in a plan it stands.
    public let stage: Stage
    /// What it does, in one line.
    public let summary: String
    /// The paper, with the section where it helps.
    public let source: String
    /// Where it differs from its source, and why; empty where it does not.
    public let differs: String
    /// What it reads besides keys and values.
    public let needs: [Need]
    /// Its parameters, in the order in which they are printed.
    public let parameters: [ParameterDescription]
    /// Puts the configuration that the arguments describe into a plan.
    let install: @Sendable (Arguments, inout Plan) throws(CompressionError) -> Void

    private enum CodingKeys: String, CodingKey {
        case name, stage, summary, source, differs, needs, parameters
    }

    init(
        name: String, stage: Stage, summary: String, source: String, differs: String = "",
        needs: [Need], parameters: [ParameterDescription],
        install: @escaping @Sendable (Arguments, inout Plan) throws(CompressionError) -> Void
    ) {
        (self.name, self.stage, self.summary) = (name, stage, summary)
        (self.source, self.differs, self.needs) = (source, differs, needs)
        self.parameters = parameters
        self.install = install
    }

    /// The call with its values, defaults left out; values without a default may be nil.
    func text(_ values: [String: String]) -> String {
        parameters.text(name, values)
    }
}

/// A parameter of a method or of a choice.
public struct ParameterDescription: Sendable, Encodable {
    /// The word before `=`.
    public let name: String
    /// What it takes.
    public let kind: ValueKind
    /// The value when it is not given; nil when that is computed, or when it has to be given.
    public let defaultText: String?
    /// Whether it has to be given.
    public let isRequired: Bool
    /// What it means, in one line.
    public let summary: String

    /// A parameter with a default, as a plan would write it.
    init(_ name: String, _ kind: ValueKind, default text: String?, _ summary: String) {
        (self.name, self.kind, self.summary) = (name, kind, summary)
        (defaultText, isRequired) = (text, false)
    }

    /// A parameter that has to be given.
    init(_ name: String, required kind: ValueKind, _ summary: String) {
        (self.name, self.kind, self.summary) = (name, kind, summary)
        (defaultText, isRequired) = (nil, true)
    }

    private enum CodingKeys: String, CodingKey { case name, expected, `default`, required, summary }

    /// Writes the description with what is valid as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(kind.expected, forKey: .expected)
        try container.encodeIfPresent(defaultText, forKey: .default)
        try container.encode(isRequired, forKey: .required)
        try container.encode(summary, forKey: .summary)
    }
}

/// What a parameter takes.
public indirect enum ValueKind: Sendable {
    /// A whole number in a range.
    case count(ClosedRange<Int>)
    /// A share, 0% ... 100%.
    case share
    /// A share of the tokens, tokens, or bytes.
    case budget
    /// Tokens, or a share of the tokens given to the plan.
    case amount
    /// Dimensions, or a share of the energy.
    case rank
    /// A decimal number in a range; infinite bounds are none.
    case number(ClosedRange<Double>)
    /// One of some words, each perhaps with parameters of its own.
    case choice([Choice])
    /// One word, or something else.
    case word(String, or: ValueKind)

    /// A word that a parameter takes.
    public struct Choice: Sendable {
        /// The word.
        public let name: String
        /// What may stand in parentheses behind it.
        ///
        /// A single parameter needs no name there.
        public let parameters: [ParameterDescription]

        init(_ name: String, _ parameters: [ParameterDescription] = []) {
            self.name = name
            self.parameters = parameters
        }
    }

    /// A choice among words without parameters.
    static func words(_ names: [String]) -> ValueKind { .choice(names.map { Choice($0) }) }

    /// A choice among the cases of an enumeration.
    static func words<Word: CaseIterable & RawRepresentable<String>>(_: Word.Type) -> ValueKind {
        words(Word.allCases.map(\.rawValue))
    }

    /// What is valid, for people.
    public var expected: String {
        switch self {
        case .count(let range):
            range.upperBound == .max
                ? "a whole number from \(range.lowerBound)"
                : "\(range.lowerBound)...\(range.upperBound)"
        case .share: "a share such as 25% (0%...100%)"
        case .budget:
            "25% of the tokens (above 0%, at most 100%), 512 tokens per head, or 64MiB (B, KiB, MiB, GiB), none of them 0"
        case .amount: "a number of tokens or a share of all tokens such as 10%"
        case .rank: "a number of dimensions such as 64, or a share of the energy such as 90%, not 0"
        case .number(let range): "a number" + Self.bounds(range)
        case .choice(let choices): choices.map(\.signature).joined(separator: " | ")
        case .word(let word, let kind): "\(word), or \(kind.expected)"
        }
    }
}

extension ValueKind {
    private static func bounds(_ range: ClosedRange<Double>) -> String {
        let least = range.lowerBound.isFinite ? " from \(decimalText(range.lowerBound))" : ""
        return least + (range.upperBound.isFinite ? " to \(decimalText(range.upperBound))" : "")
    }
}

extension ValueKind.Choice {
    /// The word with its parameters and their defaults.
    var signature: String {
        guard !parameters.isEmpty else { return name }
        guard parameters.count > 1 else {
            return "\(name)(\(parameters[0].defaultText ?? parameters[0].name))"
        }
        return "\(name)(\(parameters.map { "\($0.name)=" }.joined(separator: ", ")))"
    }
}

extension [ParameterDescription] {
    /// `name`, or `name(parameter=value, ...)` with the values that are not the default.
    func text(_ name: String, _ values: [String: String]) -> String {
        let told = compactMap { parameter in
            values[parameter.name].flatMap {
                $0 == parameter.defaultText ? nil : "\(parameter.name)=\($0)"
            }
        }
        return told.isEmpty ? name : "\(name)(\(told.joined(separator: ", ")))"
    }
}
