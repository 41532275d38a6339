/// The one list of what a plan may name.
///
/// A new method is a file in its stage's folder and its name here.
enum Registry {
    static let scorers: [any Scorer.Type] = [
        Streaming.self, H2O.self, SnapKV.self, TOVA.self, KNorm.self, KeyDiff.self,
        LagKV.self, RKV.self, Scissorhands.self, Keyformer.self, ExpectedAttention.self, RMS.self,
        FastGen.self, DBudgetKV.self, ZipVL.self, RandomScorer.self,
    ]

    static let allocations: [any Allocation.Type] = [
        UniformAllocation.self, PyramidAllocation.self, AdaptiveAllocation.self,
        DynamicAllocation.self, GreedyAllocation.self, EntropyAllocation.self, RankAllocation.self,
    ]

    static let mergers: [any Merger.Type] = [
        KVMerger.self, CaM.self, WeightedKV.self, D2O.self, KeepKV.self,
    ]

    static let sharers: [any Sharer.Type] = [MiniCache.self, XKV.self]

    static let projectors: [any Projector.Type] = [LowRank.self, ThinK.self]

    static let placements: [any Placement.Type] = [KCache.self, TokenSelect.self]

    static let methods: [MethodDescription] =
        scorers.map { $0.method } + [Crush.method] + mergers.map { $0.method }
        + sharers.map { $0.method } + projectors.map { $0.method } + EncodeConfiguration.methods
        + [Fit.method] + placements.map { $0.method }

    /// The allocation that a plan's word names.
    static func allocation(_ choice: (word: String, arguments: Arguments)) -> any Allocation {
        guard let kind = allocations.first(where: { $0.identity.name == choice.word }) else {
            preconditionFailure("\(choice.word) is no allocation")
        }
        return kind.init(choice.arguments)
    }
}
