/// The one list of what a plan may name.
///
/// A new scorer is a file in Evict/ and its name here.
enum Registry {
    static let scorers: [any Scorer.Type] = [
        Streaming.self, H2O.self, SnapKV.self, TOVA.self, KNorm.self, KeyDiff.self,
        LagKV.self, RKV.self, Scissorhands.self, Keyformer.self, ExpectedAttention.self,
        RandomScorer.self,
    ]

    static let methods: [MethodDescription] =
        scorers.map { $0.method } + [Crush.method] + EncodeConfiguration.methods
}
