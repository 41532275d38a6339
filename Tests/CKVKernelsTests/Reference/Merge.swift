import Foundation

extension Reference {
    /// The squared Euclidean distance.
    static func squaredDistance(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        zip(a, b).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    }

    /// The largest product of a logit and its factor, and the first place that has it.
    static func nearest(_ logits: some Sequence<Float>, _ factors: [Float]) -> (Int, Float) {
        var best = (0, -Float.infinity)
        for (t, pair) in zip(logits, factors).enumerated() where pair.0 * pair.1 > best.1 {
            best = (t, pair.0 * pair.1)
        }
        return best
    }
}
