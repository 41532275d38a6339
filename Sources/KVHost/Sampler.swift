import Foundation

/// Chooses the next token by its logit: the most likely one, or by chance.
public struct Sampler: Sendable {
    private let temperature: Float
    private var state: UInt64

    /// Creates a sampler.
    ///
    /// - Parameters:
    ///   - temperature: divides the logits, finite and not negative; 0 always takes the most likely.
    ///   - seed: the same seed gives the same choices of the same logits.
    public init(temperature: Float = 0, seed: UInt64 = 0) {
        precondition(temperature >= 0 && temperature.isFinite)
        self.temperature = temperature
        state = seed
    }

    /// The id of the token; of equally likely ones the first.
    ///
    /// - Parameter logits: one row, not empty.
    public mutating func next(_ logits: [Float]) -> Int {
        var best = 0
        for (id, logit) in logits.enumerated() where logit > logits[best] { best = id }
        guard temperature > 0 else { return best }
        let weights = logits.map { exp(Double($0 - logits[best]) / Double(temperature)) }
        var rest = uniform() * weights.reduce(0, +)
        for (id, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return id }
        }
        return best
    }

    /// A number in 0..<1, by SplitMix64.
    private mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
}
