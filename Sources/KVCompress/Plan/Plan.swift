/// What is done to a cache: at most one configuration per stage, in the order that is their law.
///
/// A plan is written as text, `h2o(budget=25%) | kvcrush(share=25%) | q4(rotate=hadamard)`; the grammar is
/// in Documentation/Plans.md. `description` is the canonical text: defaults are left out, and
/// `Plan(plan.description) == plan`.
public struct Plan: Sendable, Equatable, CustomStringConvertible {
    /// Which tokens are kept; nil keeps all.
    public var eviction: Eviction?
    /// What becomes of tokens that resemble each other, or of those dropped.
    var merger: (any Merger)?
    /// What layers have in common.
    var sharer: (any Sharer)?
    /// Fewer dimensions.
    var projector: (any Projector)?
    /// How numbers are written; nil, no such stage in the text, means f16.
    public var encode: EncodeConfiguration?
    /// Repair of what the stages before lost.
    var fit: Fit?
    /// Where rows live, and which of them a query reads.
    var placement: (any Placement)?

    /// Reads and checks a plan.
    ///
    /// - Throws: `CompressionError` (`.plan`) that names the word, what was expected and the nearest spelling.
    public init(_ text: String) throws(CompressionError) {
        var last: MethodDescription?
        for term in try TermParser.stages(of: text) {
            let method = try Self.method(named: term.word)
            if let last { try Self.checkOrder(last, method) }
            try method.install(Arguments(term, method.parameters, at: method.name), &self)
            last = method
        }
        try eviction?.validate()
        for method in stageMethods { try method.validate(self) }
    }

    /// The stages that hold a method of their own.
    var stageMethods: [any StageMethod] {
        ([merger, sharer, projector, fit, placement] as [(any StageMethod)?]).compactMap { $0 }
    }

    /// Whether both say the same.
    public static func == (a: Plan, b: Plan) -> Bool { a.description == b.description }

    /// Every method that a plan may name, by stage.
    public static var methods: [MethodDescription] { Registry.methods }

    /// The canonical text.
    public var description: String {
        let stages = [
            eviction?.description, merger?.text, sharer?.text, projector?.text,
            encode?.description, fit?.text, placement?.text,
        ].compactMap { $0 }
        return stages.isEmpty
            ? EncodeConfiguration.plain.description : stages.joined(separator: " | ")
    }

    private static func method(named name: String) throws(CompressionError) -> MethodDescription {
        guard let method = methods.first(where: { $0.name == name }) else {
            let names = methods.map(\.name)
            throw CompressionError(
                .plan,
                "unknown method '\(name)'.\(Spelling.hint(name, among: names)) Known are \(names.joined(separator: ", "))"
            )
        }
        return method
    }

    private static func checkOrder(_ a: MethodDescription, _ b: MethodDescription)
        throws(CompressionError)
    {
        if a.stage == b.stage {
            throw CompressionError(
                .plan,
                "'\(a.name)' and '\(b.name)' are both \(a.stage.rawValue) stages; a plan has at most one of each"
            )
        }
        if b.stage < a.stage {
            let law = Stage.allCases.map(\.rawValue).joined(separator: " -> ")
            throw CompressionError(
                .plan,
                "'\(b.name)' (\(b.stage.rawValue)) cannot follow '\(a.name)' (\(a.stage.rawValue)); "
                    + "the order is \(law): write '\(b.name) | \(a.name)'"
            )
        }
    }
}

extension Plan: Codable {
    /// Reads the plan's text.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the canonical text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
