/// The one list of what a plan may name.
///
/// A new scorer or allocation is a file in Evict/ and its name here.
enum Registry {
    static let scorers: [any Scorer.Type] = [
        Streaming.self, H2O.self, SnapKV.self, TOVA.self, KNorm.self, KeyDiff.self,
        LagKV.self, RKV.self, Scissorhands.self, Keyformer.self, ExpectedAttention.self,
        FastGen.self, DBudgetKV.self, ZipVL.self, RandomScorer.self,
    ]

    static let allocations: [any Allocation.Type] = [
        UniformAllocation.self, PyramidAllocation.self, AdaptiveAllocation.self,
        DynamicAllocation.self, GreedyAllocation.self, EntropyAllocation.self, RankAllocation.self,
    ]

    /// The allocation that a plan's word names.
    static func allocation(_ choice: (word: String, arguments: Arguments)) -> any Allocation {
        guard let kind = allocations.first(where: { $0.identity.name == choice.word }) else {
            preconditionFailure("\(choice.word) is no allocation")
        }
        return kind.init(choice.arguments)
    }

    static let methods: [MethodDescription] =
        scorers.map { $0.method } + [Crush.method] + EncodeConfiguration.methods
}
