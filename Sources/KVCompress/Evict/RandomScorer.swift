/// Any tokens at all: the control of every comparison.
struct RandomScorer: Scorer {
    static let identity = ScorerIdentity(
        name: "random",
        summary: "keeps tokens at random, as a control",
        source: "control",
        parameters: [
            ParameterDescription(
                "seed",
                .count(0...Int.max),
                default: "0",
                "another seed, other tokens"
            )
        ]
    )

    let seed: Int

    init(_ arguments: Arguments) { seed = arguments.count("seed") }

    var settings: [String: String] { ["seed": "\(seed)"] }

    func scores(_ observation: Observation) -> [Scores] {
        observation.perKVHead { layer, head, row in
            for token in 0..<observation.cache.tokens {
                row[token] = Float(noise(seed, layer, head, token) >> 40) * 0x1p-24
            }
        }
    }
}

/// 64 random bits that depend on the seed and the place alone (SplitMix64's mixer over each part).
func noise(_ parts: Int...) -> UInt64 { noise(parts) }

/// The same of parts in an array.
func noise(_ parts: [Int]) -> UInt64 {
    parts.reduce(0) { state, part in
        var z = (state ^ UInt64(bitPattern: Int64(part))) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
