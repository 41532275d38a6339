import Foundation
import KVCompress

/// What a group of observations says, and which methods it favours: one line.
struct SurveyFinding: Encodable {
    let observation: String
    let text: String

    private init(_ observation: String, _ numbers: String, _ advice: String) {
        self.observation = observation
        text = "\(observation): \(numbers): \(advice)."
    }

    /// One finding per group of observations that the survey has.
    ///
    /// The bounds are rules of thumb; what counts is what `kvc compare` measures.
    static func all(_ survey: Survey, keyDim: Int, valueDim: Int) -> [SurveyFinding] {
        let layers = survey.layers, attention = layers.compactMap(\.attention)
        return [neighbours(layers), below(layers.compactMap(\.below))]
            + (attention.isEmpty ? [] : [spread(attention), sinks(attention)])
            + [ranks(layers, keyDim, valueDim), channels(layers), magnitudes(layers)]
    }

    private static func neighbours(_ layers: [Survey.Layer]) -> SurveyFinding {
        let heads = layers.flatMap(\.neighbours)
        let linked = heads.mean(\.linked)
        let quarters = (0..<4).map { quarter in heads.mean { $0.quarters[quarter] } }
        let drift = quarters.max()! - quarters.min()!
        let course =
            drift < 0.05
            ? "the same along the sequence"
            : "\(two(quarters[0])) to \(two(quarters[3])) along the sequence"
        return SurveyFinding(
            "Neighbours",
            "\(percent(linked)) of the keys are closer than \(Survey.threshold) to the next one's, \(course)",
            linked > 0.3
                ? "favours kvmerger(threshold=\(Survey.threshold))"
                : linked > 0.1
                    ? "short runs, of which kvmerger(budget=50%) merges the most alike"
                    : "little that is alike to merge")
    }

    private static func below(_ layers: [Survey.Below]) -> SurveyFinding {
        let upper = layers.suffix((layers.count + 1) / 2)
        let (keys, values) = (upper.mean(\.keys), upper.mean(\.values))
        return SurveyFinding(
            "Layers",
            "from the middle on, a layer is like the one below by \(two(keys)) (keys) and \(two(values)) (values)",
            min(keys, values) > 0.5
                ? "favours minicache"
                : max(keys, values) > 0.5
                    ? "one side is near the 0.6 of MiniCache's paper, so compare minicache with care"
                    : "far from the 0.6 of MiniCache's paper, so leave minicache out")
    }

    private static func spread(_ layers: [Survey.Attention]) -> SurveyFinding {
        let top = layers.mean { $0.mass[2] }, own = layers.mean { $0.queryMass[2] }
        let half = layers.count / 2
        let fall = layers.prefix(half).mean(\.evenness) - layers.suffix(half).mean(\.evenness)
        let pyramid =
            fall > 0.1 ? ", allocate=pyramid as the first layers are the more even ones" : ""
        return SurveyFinding(
            "Attention",
            "\(percent(top)) of it falls on the same tenth of the tokens, \(percent(own)) of a query's on a tenth of its own",
            top > 0.7
                ? "favours eviction (h2o, snapkv\(pyramid))"
                : own > 0.7
                    ? "favours keeping all and choosing at every step (kcache), or merging and fit, before eviction"
                    : "spread out, which favours quantization, merging and fit before eviction")
    }

    private static func sinks(_ layers: [Survey.Attention]) -> SurveyFinding {
        let (mass, even) = (layers.mean(\.sinks), layers.mean(\.evenSinks))
        return SurveyFinding(
            "Sinks",
            "\(percent(mass)) of attention is on the first \(Survey.sinks) tokens, \(percent(even)) if it were even",
            mass > 0.1 && mass > 2 * even
                ? "favours protected sinks (sinks=4, the default of every eviction) and streaming"
                : "no sinks to speak of, sinks=0 frees their place")
    }

    private static func ranks(_ layers: [Survey.Layer], _ keyDim: Int, _ valueDim: Int)
        -> SurveyFinding
    {
        let keys = layers.mean(\.keyRanks.most), values = layers.mean(\.valueRanks.most)
        let (keyShare, valueShare) = (keys / Double(keyDim), values / Double(valueDim))
        let low = [("keys", keyShare), ("values", valueShare)].filter { $0.1 < 0.5 }.map {
            "\($0.0)=90%"
        }
        return SurveyFinding(
            "Ranks",
            "90% of the energy is in \(one(keys)) of \(keyDim) dimensions of keys, \(one(values)) of \(valueDim) of values",
            low.isEmpty
                ? "lowrank saves less than quantization"
                : "favours lowrank(\(low.joined(separator: ", ")))")
    }

    private static func channels(_ layers: [Survey.Layer]) -> SurveyFinding {
        let after = layers.mean(\.keyChannels.spread)
        let known = layers.compactMap(\.keyChannelsBeforeRoPE)
        let before = known.isEmpty ? "" : ", \(one(known.mean(\.spread))) before RoPE"
        return SurveyFinding(
            "Channels", "the largest of a key is \(one(after)) times the median one\(before)",
            after > Survey.outlier
                ? "favours keys=per-channel or rotate=keys in q4 and q8"
                : "per-token groups do for keys")
    }

    private static func magnitudes(_ layers: [Survey.Layer]) -> SurveyFinding {
        let keys = layers.map(\.keyMagnitudes.ratio).max()!
        let values = layers.map(\.valueMagnitudes.ratio).max()!
        return SurveyFinding(
            "Massive values",
            String(format: "at most %.0f times the median in keys, %.0f in values", keys, values),
            max(keys, values) > 100
                ? "small groups and rotate=hadamard keep them from spoiling their neighbours"
                : "none, plain groups do")
    }

    private static func one(_ value: Double) -> String { String(format: "%.1f", value) }
    /// Nothing is printed as -0.00.
    private static func two(_ value: Double) -> String {
        String(format: "%.2f", abs(value) < 0.005 ? 0 : value)
    }
}
