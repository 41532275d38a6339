/// Attention from the last queries, less what other keys repeat: for long chains of thought that go in circles.
struct RKV: Scorer {
    static let identity = ScorerIdentity(
        name: "rkv",
        summary: "keeps what the last queries attend to and no other key repeats",
        source: "R-KV, arXiv 2505.24133, section 3",
        differs:
            "one choice by the last given queries instead of one every 128 generated tokens",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "observe",
                .count(1...Int.max),
                default: "8",
                "the last queries that count (all, when there are fewer)"
            ),
            ParameterDescription(
                "pool",
                Pool.kind,
                default: "max(7)",
                "how a token's attention spreads to its neighbours"
            ),
            ParameterDescription(
                "importance",
                .share,
                default: "10%",
                "how much attention weighs against redundancy"
            ),
            ParameterDescription(
                "similar",
                .share,
                default: "50%",
                "the cosine from which two keys repeat each other"
            ),
        ],
        recent: "the observed queries' own tokens"
    )

    let observe: Int
    let pool: Pool
    let importance: Share
    let similar: Share

    init(_ arguments: Arguments) {
        observe = arguments.count("observe")
        pool = Pool(arguments.choice("pool"))
        importance = arguments.share("importance")
        similar = arguments.share("similar")
    }

    var settings: [String: String] {
        [
            "observe": "\(observe)", "pool": pool.description,
            "importance": importance.description, "similar": similar.description,
        ]
    }

    func defaultRecent(budget: Int, queries: Int) -> Int { min(observe, queries) }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let attention = observation.windowAttention(of: observe, pool)
        let norms = observation.keyNorms()
        let redundancy = observation.perHead { layer, head in
            self.redundancy(
                observation.cache.layers[layer].keys[head],
                norms[layer][head],
                observation
            )
        }
        let weight = importance.fraction
        return observation.perQueryHead { layer, head, row in
            let received = attention[layer].row(head)
            let repeated = redundancy[layer][head / (observation.cache.layers[layer].group ?? 1)]
            for token in 0..<observation.cache.tokens {
                row[token] = weight * received[token] - (1 - weight) * repeated[token]
            }
        }
    }

    /// Softmax over the tokens of the mean cosine with the keys that each repeats; the newest key that repeats
    /// another counts nothing for that, so that of every circle the last turn stays.
    private func redundancy(_ keys: Rows, _ norms: Buffer<Float>, _ observation: Observation)
        -> Buffer<Float>
    {
        let tokens = keys.count, height = min(64, tokens), threshold = similar.fraction
        let packed = observation.allocator.buffer(Float.self, height * keys.dim)
        let dots = observation.allocator.buffer(Float.self, height * tokens)
        let inverse = (0..<tokens).map { norms[$0] < 1e-30 ? 0 : 1 / norms[$0] }
        let result = observation.allocator.buffer(Float.self, tokens)
        let sums = result.pointer
        for start in stride(from: 0, to: tokens, by: height) {
            let block = start..<min(start + height, tokens)
            observation.kernels.convert(keys, rows: block, to: packed.pointer)
            observation.kernels.dots(
                packed.pointer,
                rows: block.count,
                with: keys,
                count: tokens,
                to: dots.pointer,
                stride: tokens
            )
            for token in block {
                let row = dots.pointer + (token - start) * tokens
                // The newest so far: it is added only once a newer one is found.
                var newest: (token: Int, cosine: Float)?
                for other in 0..<tokens where other != token {
                    let cosine = row[other] * inverse[token] * inverse[other]
                    guard cosine >= threshold else { continue }
                    if let newest { sums[newest.token] += newest.cosine }
                    newest = (other, cosine)
                }
            }
        }
        for token in 0..<tokens { sums[token] /= Float(tokens) }
        observation.kernels.softmax(sums, count: tokens)
        return result
    }
}
