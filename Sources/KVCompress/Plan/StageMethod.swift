/// A method that fills a stage of a plan by itself: one file, and its name in `Registry`.
protocol StageMethod: Hashable, Sendable {
    /// Its name, what it needs, and its parameters.
    static var identity: MethodIdentity { get }

    init(_ arguments: Arguments) throws(CompressionError)

    /// The values of its parameters, as a plan writes them.
    var settings: [String: String] { get }

    /// Refuses a plan in which it cannot stand.
    func validate(_ plan: Plan) throws(CompressionError)
}

extension StageMethod {
    var settings: [String: String] { [:] }
    func validate(_ plan: Plan) throws(CompressionError) {}

    /// The canonical text of the stage.
    var text: String { Self.identity.parameters.text(Self.identity.name, settings) }

    /// The method that a plan names, which `place` puts into it.
    static func method(
        _ stage: Stage, _ place: @escaping @Sendable (Self, inout Plan) -> Void
    ) -> MethodDescription {
        MethodDescription(
            name: identity.name, stage: stage, summary: identity.summary, source: identity.source,
            differs: identity.differs, needs: identity.needs, parameters: identity.parameters
        ) { arguments, plan throws(CompressionError) in
            place(try Self(arguments), &plan)
        }
    }
}

/// What a method's file says of it.
struct MethodIdentity: Sendable {
    var name: String
    var summary: String
    var source: String
    /// Where it differs from its source, and why.
    var differs = ""
    var needs: [Need] = []
    var parameters: [ParameterDescription] = []
}
