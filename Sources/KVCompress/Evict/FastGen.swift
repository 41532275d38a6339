/// For each head the cheapest of some policies that recovers enough of its attention.
///
/// The policies are nested: the sinks (and what else the plan protects); with the most attended tokens; with
/// the newest ones too; all tokens. The paper has a further one of punctuation, which a cache does not tell.
/// The attention that a policy recovers is what its tokens received from the given queries, the mean over the
/// heads of the group.
struct FastGen: CountingScorer {
    static let identity = ScorerIdentity(
        name: "fastgen",
        summary:
            "keeps what the cheapest policy needs that recovers a head's attention; takes no budget",
        source: "FastGen, arXiv 2310.01801, section 3",
        differs:
            "the policy of punctuation is left out: a cache does not tell which tokens are "
            + "punctuation",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "recover",
                .share,
                default: "95%",
                "the share of the attention that a policy has to recover"
            ),
            ParameterDescription(
                "heavy",
                .share,
                default: "30%",
                "the share of the tokens that counts as most attended"
            ),
            ParameterDescription(
                "local",
                .share,
                default: "30%",
                "the share of the tokens that counts as newest"
            ),
        ]
    )

    static let countsPerHead = true

    /// What a token's class adds to its share of the attention, which is at most 1.
    private static let heavyScore: Float = 4, localScore: Float = 2

    let recover: Share
    let heavy: Share
    let local: Share

    init(_ arguments: Arguments) {
        recover = arguments.share("recover")
        heavy = arguments.share("heavy")
        local = arguments.share("local")
    }

    var settings: [String: String] {
        ["recover": recover.description, "heavy": heavy.description, "local": local.description]
    }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let shares = shares(observation), tokens = observation.cache.tokens
        let every = Array(0..<UInt32(tokens))
        return observation.perKVHead { layer, head, row in
            let share = shares[layer].row(head)
            row.update(from: share, count: tokens)
            for token in tokens - local.of(tokens)..<tokens {
                row[token] = share[token] + Self.localScore
            }
            for token in Ranking.first(heavy.of(tokens), of: every, by: share) {
                row[Int(token)] = share[Int(token)] + Self.heavyScore
            }
        }
    }

    func counts(_ layers: [LayerSelector], _ observation: Observation) -> [[Int]] {
        let shares = shares(observation)
        return observation.workers.map(layers.count) { layer in
            let contest = layers[layer].contestOfAll()
            return (0..<contest.rows.heads).map { head in
                let share = shares[layer].row(head), score = contest.rows.row(head)
                let enough =
                    recover.exact * (0..<contest.rows.tokens).reduce(0) { $0 + Double(share[$1]) }
                for least in [Float.infinity, Self.heavyScore, Self.localScore] {
                    let policy = (0..<contest.rows.tokens).filter {
                        !contest.evictable.contains($0) || score[$0] >= least
                    }
                    if policy.reduce(0, { $0 + Double(share[$1]) }) >= enough {
                        return max(policy.count, 1)
                    }
                }
                return contest.rows.tokens
            }
        }
    }

    /// What each token received of all attention, per kv head.
    private func shares(_ observation: Observation) -> [Scores] {
        let cache = observation.cache
        let sums = observation.receivedAttention(.sum)
        return observation.workers.map(sums.count) { layer in
            let means = sums[layer].means(
                groups: cache.layers[layer].keys.count, observation.allocator)
            let queries = Float(cache.layers[layer].queries?[0].count ?? 0)
            return Scores(heads: means.heads, tokens: means.tokens, observation.allocator) {
                head, row in
                for token in 0..<means.tokens { row[token] = means.row(head)[token] / queries }
            }
        }
    }
}
