import Foundation

/// Chooses the next token by its logit: the most likely one, or by chance.
public struct Sampler: Sendable {
    private let temperature: Float
    private var random: SplitMix

    /// Creates a sampler.
    ///
    /// - Parameters:
    ///   - temperature: divides the logits, finite and not negative; 0 always takes the most likely.
    ///   - seed: the same seed gives the same choices of the same logits.
    public init(temperature: Float = 0, seed: UInt64 = 0) {
        precondition(temperature >= 0 && temperature.isFinite)
        self.temperature = temperature
        random = SplitMix(state: seed)
    }

    /// The id of the token; of equally likely ones the first.
    ///
    /// - Parameter logits: one row, not empty.
    public mutating func next(_ logits: [Float]) -> Int {
        let best = logits[...].likeliest
        guard temperature > 0 else { return best }
        let weights = logits.map { exp(Double($0 - logits[best]) / Double(temperature)) }
        let uniform = Double(random.next() >> 11) * 0x1p-53
        var rest = uniform * weights.reduce(0, +)
        for (id, weight) in weights.enumerated() {
            rest -= weight
            if rest < 0 { return id }
        }
        return best
    }
}
