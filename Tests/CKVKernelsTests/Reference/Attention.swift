import Foundation

extension Reference {
    /// What one query row has seen of the cache so far.
    struct State {
        var maximum = -Double.infinity
        var sum = 0.0
        var accumulator: [Double]

        init(dim: Int) { accumulator = .init(repeating: 0, count: dim) }

        /// Attention as far as it was folded; zeros where nothing was seen.
        var output: [Double] { accumulator.map { sum == 0 ? 0 : $0 / sum } }
    }

    /// The per-entry vectors of a block, and the two numbers of the model.
    struct Softmax {
        var scale: Double = 1
        var softcap: Double = 0
        var bias: [Float]?
        var keyScale: [Float]?
        var valueScale: [Float]?

        func logit(_ raw: Double, _ t: Int) -> Double {
            var x = raw * scale
            if let keyScale { x *= Double(keyScale[t]) }
            if softcap > 0 { x = softcap * tanh(x / softcap) }
            if let bias { x += Double(bias[t]) }
            return x
        }
    }

    /// Folds the logits of a block into a state; returns the weights of its values and the factor for
    /// what was accumulated before.
    static func fold(
        _ logits: some Collection<Float>,
        visible: Int,
        softmax: Softmax,
        into state: inout State
    )
        -> (weights: [Double], rescale: Double)
    {
        let x = logits.enumerated().map { t, raw in
            t < visible ? softmax.logit(Double(raw), t) : -.infinity
        }
        let maximum = max(state.maximum, x.max() ?? -.infinity)
        guard x.contains(where: { $0 > -.infinity }) else {
            return (x.map { _ in 0 }, 1)
        }
        let weights = x.map { exp($0 - maximum) }
        let rescale = exp(state.maximum - maximum)
        state.sum = state.sum * rescale + weights.reduce(0, +)
        state.maximum = maximum
        guard let valueScale = softmax.valueScale else { return (weights, rescale) }
        return (zip(weights, valueScale).map { $0 * Double($1) }, rescale)
    }

    static func accumulate(
        _ accumulator: [Double],
        rescale: Double,
        weights: [Double],
        values: [Float],
        dim: Int
    ) -> [Double] {
        var out = accumulator.map { $0 * rescale }
        for (t, weight) in weights.enumerated() {
            for c in 0..<dim { out[c] += weight * Double(values[t * dim + c]) }
        }
        return out
    }

    static func merge(_ a: State, _ b: State) -> State {
        guard b.maximum > -.infinity else { return a }
        guard a.maximum > -.infinity else { return b }
        var merged = a
        merged.maximum = max(a.maximum, b.maximum)
        let (ea, eb) = (exp(a.maximum - merged.maximum), exp(b.maximum - merged.maximum))
        merged.sum = a.sum * ea + b.sum * eb
        merged.accumulator = zip(a.accumulator, b.accumulator).map { $0 * ea + $1 * eb }
        return merged
    }

    /// Attention of one query over rows of keys and values, at once, as textbooks have it.
    static func attend(
        _ query: some Collection<Float>,
        keys: [Float],
        values: [Float],
        softmax: Softmax
    ) -> [Double] {
        let dim = query.count
        let n = keys.count / dim
        let logits = (0..<n).map { softmax.logit(dot(query, keys.row($0, dim)), $0) }
        let maximum = logits.max() ?? 0
        var output = [Double](repeating: 0, count: dim)
        var sum = 0.0
        for t in 0..<n {
            let weight = exp(logits[t] - maximum)
            sum += weight
            let scaled = weight * Double(softmax.valueScale?[t] ?? 1)
            for c in 0..<dim { output[c] += scaled * Double(values[t * dim + c]) }
        }
        return output.map { $0 / sum }
    }
}
