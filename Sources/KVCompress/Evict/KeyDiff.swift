/// Keys that point away from the others.
struct KeyDiff: Scorer {
    static let identity = ScorerIdentity(
        name: "keydiff",
        summary: "keeps the keys least similar to the mean direction of all keys",
        source: "KeyDiff, arXiv 2504.15364, section 3"
    )

    init(_ arguments: Arguments) {}

    func scores(_ observation: Observation) -> [Scores] {
        let norms = observation.keyNorms(), kernels = observation.kernels
        return observation.perKVHead { layer, head, row in
            let keys = observation.cache.layers[layer].keys[head],
                norms = norms[layer][head].pointer
            // The row is scratch for the weights first: a key without a direction weighs nothing.
            for token in 0..<keys.count { row[token] = norms[token] < 1e-30 ? 0 : 1 / norms[token] }
            withUnsafeTemporaryAllocation(of: Float.self, capacity: keys.dim) { sum in
                let direction = sum.baseAddress!
                var length: Float = 0
                kernels.weightedSum(of: keys, weights: row, to: direction)
                kernels.norms(direction, count: 1, dim: keys.dim, to: &length)
                kernels.dots(
                    direction,
                    rows: 1,
                    with: keys,
                    count: keys.count,
                    to: row,
                    stride: keys.count
                )
                for token in 0..<keys.count {
                    let defined = norms[token] >= 1e-30 && length >= 1e-30
                    row[token] = defined ? -(row[token] / norms[token] / length) : 0
                }
            }
        }
    }
}
