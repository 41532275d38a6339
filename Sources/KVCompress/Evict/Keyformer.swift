/// Attention received under noise, so that what is dropped early had a chance.
///
/// A query's logits get the token's Gumbel noise and are divided by a temperature that grows from 1 at the
/// first of the given queries to `temperature` at the last. The noise is one number per query head and token.
struct Keyformer: Scorer {
    static let identity = ScorerIdentity(
        name: "keyformer",
        summary: "keeps what received most attention from all given queries under Gumbel noise",
        source: "Keyformer, arXiv 2403.09054, section 3",
        differs:
            "noise is one number per query head and token and follows from the seed; "
            + "temperature rises over the given queries, not over generated tokens",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "temperature",
                .count(1...64),
                default: "2",
                "what logits are divided by for the last query; 1 for the first"
            ),
            Rule.parameter,
            ParameterDescription(
                "seed", .count(0...Int.max), default: "0", "another seed, other noise"),
        ],
        recent: "half of the budget, rounded down"
    )

    let temperature: Int
    let rule: Rule
    let seed: Int

    init(_ arguments: Arguments) {
        temperature = arguments.count("temperature")
        rule = arguments.word("rule")
        seed = arguments.count("seed")
    }

    var settings: [String: String] {
        ["temperature": "\(temperature)", "rule": rule.rawValue, "seed": "\(seed)"]
    }

    func defaultRecent(budget: Int, queries: Int) -> Int { budget / 2 }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let cache = observation.cache
        let sums = cache.layers.map {
            observation.allocator.buffer(Float.self, ($0.queries?.count ?? 0) * cache.tokens)
        }
        _ = observation.perHead { layer, kvHead in
            self.receive(observation, layer: layer, kvHead: kvHead, into: sums[layer])
        }
        return observation.perQueryHead { layer, head, row in
            let queries = cache.layers[layer].queries?[0].count ?? 0
            let received = sums[layer].pointer + head * cache.tokens
            for token in 0..<cache.tokens {
                row[token] = rule.score(
                    received[token], seenBy: min(queries, cache.tokens - token))
            }
        }
    }

    private func receive(
        _ observation: Observation,
        layer: Int,
        kvHead: Int,
        into sums: Buffer<Float>
    ) {
        let cache = observation.cache, geometry = cache.layers[layer].geometry
        let group = cache.layers[layer].group ?? 1,
            last = (cache.layers[layer].queries?[0].count ?? 1) - 1
        let root = Double(geometry.keyDim).squareRoot()
        // Noise is added to raw dots, which are later divided by the root.
        let noise = (0..<group).map { member in
            (0..<cache.tokens).map { token in
                Float(root * gumbel(seed, layer, kvHead * group + member, token))
            }
        }
        observation.forEachLogitBlock(layer: layer, kvHead: kvHead) { block in
            for member in 0..<group {
                for (index, query) in block.queries.enumerated() {
                    let row = block.rows(member) + index * block.stride
                    let seen = Int(block.visible[index])
                    for token in 0..<seen { row[token] += noise[member][token] }
                    let growth = Double(temperature - 1) * Double(query) / Double(max(last, 1))
                    observation.kernels.observe(
                        row,
                        stride: block.stride,
                        keys: seen,
                        visible: [UInt32(seen)],
                        scale: Float(1 / (root * (1 + growth))),
                        windowStart: 0,
                        threshold: 1
                    ) { reduction in
                        reduction == .sum
                            ? sums.pointer + (kvHead * group + member) * cache.tokens : nil
                    }
                }
            }
        }
    }
}
