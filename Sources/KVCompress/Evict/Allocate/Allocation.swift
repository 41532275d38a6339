/// Spreads a budget over layers and heads; what is spent in all never changes: one file, and its name in
/// `Registry`.
protocol Allocation: Hashable, Sendable, CustomStringConvertible {
    /// Its name and what it needs.
    static var identity: AllocationIdentity { get }

    init(_ arguments: Arguments)

    /// Reads what it needs of all layers once, and spreads any budget from then on.
    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread
}

/// Tokens of every kv head of every layer for a budget: the budget on average, and 1 to all tokens each.
typealias Spread = (_ budget: Int) -> [[Int]]

/// What an allocation's file says of it.
struct AllocationIdentity: Sendable {
    var name: String
    var summary: String
    var source: String
    /// Where it differs from its source, and why.
    var differs = ""
    var needs: [Need] = []
    var parameters: [ParameterDescription] = []
    /// Whether the heads of a layer get numbers of their own.
    var isPerHead = false
}

extension Allocation {
    var description: String { Self.identity.name }

    func equals(_ other: any Allocation) -> Bool { (other as? Self) == self }
}

/// The same everywhere.
struct UniformAllocation: Allocation {
    static let identity = AllocationIdentity(
        name: "uniform",
        summary: "the same everywhere",
        source: "control"
    )

    init() {}
    init(_ arguments: Arguments) {}

    func spread(over layers: [LayerSelector], _ observation: Observation) -> Spread {
        { budget in layers.map { [Int](repeating: budget, count: $0.kvHeads) } }
    }
}
