/// Keys and values whose channels lie apart when measured by the range of what follows them.
///
/// Partitions of `lag` tokens are counted from token 0 (the paper counts them after its sinks). A token's
/// channels are scaled by their minimum and maximum in the next partition; the standard deviation over the
/// channels, turned into shares of its partition by softmax, is added up for key and value, and a token's rank
/// by that sum is its score, so that every partition keeps the same share, as the paper does. The last whole
/// partition and what follows it have nothing to be measured by, and come first, newest before older ones.
struct LagKV: Scorer {
    static let identity = ScorerIdentity(
        name: "lagkv",
        summary:
            "keeps the tokens that stand out from the next partition's range of keys and values",
        source: "LagKV, arXiv 2504.04704, section 3",
        differs:
            "partitions are counted from token 0, not behind the sinks; ranks inside a "
            + "partition are the scores, so that any budget keeps the paper's equal shares",
        parameters: [
            ParameterDescription(
                "lag",
                .count(1...Int.max),
                default: "128",
                "tokens of a partition; the newest one to two partitions come before all others"
            )
        ]
    )

    let lag: Int

    init(_ arguments: Arguments) { lag = arguments.count("lag") }

    var settings: [String: String] { ["lag": "\(lag)"] }

    /// Tokens that have a whole partition behind their own.
    private func scored(of tokens: Int) -> Int { max(0, tokens / lag - 1) * lag }

    func remarks(budget: Int, tokens: Int, queries: Int) -> [String] {
        let newest = tokens - scored(of: tokens)
        return newest < budget
            ? []
            : [
                "lagkv: the \(newest) newest tokens come first and exceed a budget of \(budget); a smaller lag scores more tokens"
            ]
    }

    func scores(_ observation: Observation) -> [Scores] {
        let tokens = observation.cache.tokens, scored = scored(of: tokens)
        return observation.perKVHead { layer, head, row in
            let keys = observation.cache.layers[layer].keys[head]
            let values = observation.cache.layers[layer].values[head]
            for start in stride(from: 0, to: scored, by: lag) {
                let shares = [keys, values].map { share($0, of: start..<start + lag, observation) }
                let sums = zip(shares[0], shares[1]).map(+)
                let ascending = (0..<lag).sorted { (sums[$0], $1) < (sums[$1], $0) }
                for (rank, token) in ascending.enumerated() {
                    row[start + token] = Float(rank) / Float(lag)
                }
            }
            for token in scored..<tokens { row[token] = 1 + Float(token) / Float(tokens) }
        }
    }

    /// What each token of a partition has of its spread.
    private func share(_ rows: Rows, of partition: Range<Int>, _ observation: Observation)
        -> [Float]
    {
        let dim = rows.dim, kernels = observation.kernels
        let packed = observation.allocator.buffer(Float.self, lag * dim)
        var low = [Float](repeating: 0, count: dim), high = low
        let next = partition.upperBound..<partition.upperBound + lag
        kernels.convert(rows, rows: next, to: packed.pointer)
        kernels.channelRanges(packed.pointer, count: lag, dim: dim, minimum: &low, maximum: &high)
        // A channel that does not move measures nothing.
        let factor = zip(low, high).map { $1 > $0 ? 1 / ($1 - $0) : 0 }
        var spreads = [Float](repeating: 0, count: lag)
        kernels.convert(rows, rows: partition, to: packed.pointer)
        kernels.spreads(
            packed.pointer,
            count: lag,
            dim: dim,
            offset: low,
            factor: factor,
            to: &spreads
        )
        kernels.softmax(&spreads, count: lag)
        return spreads
    }
}
