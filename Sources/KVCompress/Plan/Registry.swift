/// The one list of what a plan may name.
///
/// A new method is a file in its stage's folder and its name here.
enum Registry {
    static let scorers: [any Scorer.Type] = [
        Streaming.self, H2O.self, SnapKV.self, TOVA.self, KNorm.self, KeyDiff.self,
        RMS.self, RandomScorer.self,
    ]

    static let mergers: [any Merger.Type] = []

    static let sharers: [any Sharer.Type] = []

    static let projectors: [any Projector.Type] = []

    static let methods: [MethodDescription] =
        scorers.map { $0.method } + [Crush.method] + mergers.map { $0.method }
        + sharers.map { $0.method } + projectors.map { $0.method } + EncodeConfiguration.methods
        + [Fit.method]
}
