/// Tokens of all layers that compete for one budget by their scores; ties go to the lower layer, head and token.
struct LayerRace {
    private let values: Buffer<Float>
    /// The layer of each row of `values`.
    private let layers: [Int]
    private let tokens: Int

    /// Rows of scores of every layer.
    init(_ scores: [Scores], _ allocator: Allocator) {
        tokens = scores[0].tokens
        layers = scores.indices.flatMap { [Int](repeating: $0, count: scores[$0].heads) }
        values = allocator.buffer(Float.self, layers.count * tokens)
        var end = values.pointer
        for scores in scores {
            end.update(from: scores.row(0), count: scores.heads * tokens)
            end += scores.heads * tokens
        }
    }

    /// How many of the best `each` tokens per row each layer has, the mean over its rows, when no row has more
    /// than `most`; only evictable tokens run.
    func wins(each: Int, most: Int, of evictable: Range<Int>) -> [Double] {
        let runners = layers.indices.flatMap { row in
            Ranking.first(
                most,
                of: evictable.map { UInt32(row * tokens + $0) },
                by: values.pointer
            )
        }
        var wins = [Double](repeating: 0, count: layers[layers.count - 1] + 1), rows = wins
        for layer in layers { rows[layer] += 1 }
        for winner in Ranking.first(each * layers.count, of: runners, by: values.pointer) {
            wins[layers[Int(winner) / tokens]] += 1
        }
        return zip(wins, rows).map(/)
    }
}

extension LayerSelector {
    /// The tokens that a budget leaves to the scores.
    func evictable(_ budget: Int) -> Range<Int> {
        let protected = protection(budget)
        return protected.sinks..<scores.tokens - protected.recent
    }
}
