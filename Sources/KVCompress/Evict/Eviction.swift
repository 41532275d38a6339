/// The evict stage of a plan: a scorer, a budget and how it is spent, and KVCrush around it if wanted.
public struct Eviction: Sendable, Equatable, CustomStringConvertible {
    var scorer: any Scorer
    /// What may be kept; nil where the method decides that itself.
    public var budget: Budget?
    /// How the budget is spread over layers and heads.
    var allocation: any Allocation
    /// How the tokens of highest score are taken.
    public var selector: Selector
    /// Whether heads keep tokens of their own.
    public var tokens: TokenSets
    /// The first tokens, which are kept whatever their score; inside the budget.
    public var sinks: Int
    /// The newest tokens that are kept whatever their score, inside the budget; nil for the scorer's default.
    public var recent: Amount?
    /// Representatives for a part of the budget.
    public var crush: Crush?

    init(_ scorer: any Scorer, _ arguments: Arguments) {
        self.scorer = scorer
        let decides = scorer is any CountingScorer
        budget = decides ? nil : arguments.budget("budget")
        allocation =
            decides ? UniformAllocation() : Registry.allocation(arguments.choice("allocate"))
        selector = decides ? .top : Selector(arguments.choice("select"))
        tokens = arguments.word("tokens")
        sinks = arguments.count("sinks")
        recent = arguments.amount("recent")
    }

    /// The method of a scorer: what its file says, and the parameters that all evictions have.
    static func method<Kind: Scorer>(of scorer: Kind.Type) -> MethodDescription {
        let identity = scorer.identity
        let budgeted = [
            ParameterDescription(
                "allocate",
                .choice(
                    Registry.allocations.map {
                        .init($0.identity.name, $0.identity.parameters)
                    }
                ),
                default: "uniform",
                "how layers and heads share the budget"
            ),
            ParameterDescription("select", Selector.kind, default: "top", "how the best are taken"),
        ]
        let shared = [
            ParameterDescription(
                "tokens",
                .words(TokenSets.self),
                default: "head",
                "whether each head keeps its own tokens"
            ),
            ParameterDescription(
                "sinks",
                .count(0...Int.max),
                default: "4",
                "first tokens, always kept, inside the budget"
            ),
            ParameterDescription(
                "recent",
                .amount,
                default: nil,
                "newest tokens, always kept, inside the budget; default: \(identity.recent)"
            ),
        ]
        let budget = ParameterDescription("budget", required: .budget, "what may be kept")
        return MethodDescription(
            name: identity.name,
            stage: .evict,
            summary: identity.summary,
            source: identity.source,
            differs: identity.differs,
            needs: identity.needs,
            parameters: scorer is any CountingScorer.Type
                ? identity.parameters + shared
                : [budget] + identity.parameters + budgeted + shared
        ) { arguments, plan in
            plan.eviction = Eviction(Kind(arguments), arguments)
        }
    }

    /// The scorer's name in plans.
    public var method: String { type(of: scorer).identity.name }

    /// Whether all heads of a layer keep the same tokens.
    var sharesTokens: Bool { tokens == .layer || scorer.isPerLayer || crush != nil }

    /// The canonical text, KVCrush included.
    public var description: String {
        var values = scorer.settings
        values["budget"] = budget?.description
        values["allocate"] = allocation.description
        values["select"] = selector.description
        values["tokens"] = tokens.rawValue
        values["sinks"] = "\(sinks)"
        values["recent"] = recent?.description
        let text = type(of: scorer).method.text(values)
        return crush.map { "\(text) | \($0)" } ?? text
    }

    /// Whether both say the same.
    public static func == (a: Eviction, b: Eviction) -> Bool {
        a.scorer.equals(b.scorer) && a.budget == b.budget && a.allocation.equals(b.allocation)
            && a.selector == b.selector && a.tokens == b.tokens && a.sinks == b.sinks
            && a.recent == b.recent
            && a.crush == b.crush
    }

    /// Refuses combinations that contradict each other.
    func validate() throws(CompressionError) {
        let decider = (scorer as? any CountingScorer).map { type(of: $0) }
        let isPerHead = decider?.countsPerHead ?? type(of: allocation).identity.isPerHead
        guard isPerHead else { return }
        let word = decider == nil ? "allocate=\(allocation)" : "'\(method)'"
        if tokens == .layer {
            throw CompressionError(
                .plan,
                "\(method): \(word) gives every head its own number of tokens, and tokens=layer one set to all; "
                    + "expected one of the two"
            )
        }
        if crush != nil {
            let others = Registry.allocations.map { $0.identity }.filter { !$0.isPerHead }
                .map { "allocate=\($0.name)" }.joined(separator: " or ")
            throw CompressionError(
                .plan,
                "kvcrush keeps one token set per layer, and \(word) gives every head its own; expected "
                    + (decider == nil ? "\(others) in '\(method)'" : "another eviction before it")
            )
        }
    }
}

/// Whether the heads of a layer keep tokens of their own.
public enum TokenSets: String, Hashable, Sendable, CaseIterable {
    /// Every kv head its own.
    case head
    /// One set for all heads, by their mean score.
    case layer
}
