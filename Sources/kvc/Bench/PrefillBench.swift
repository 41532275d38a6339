import KVCompress

/// Causal attention of a whole prompt over itself, as a session computes it.
struct PrefillBench {
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape, tokens: [Int]? = nil) {
        self.shape = shape
        self.tokens = tokens ?? shape.tokens(default: 2048)
    }

    func run(_ sitting: Sitting) throws {
        let plan = try Plan("q8")
        for tokens in tokens {
            for isa in shape.levels {
                sitting.status.now("prefill of \(tokens) tokens")
                let inputs = [ElementFormat.f32, .bf16].map {
                    MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim, format: $0)
                }
                let contestants = try inputs.map { try attention($0, plan, tokens, isa, sitting) }
                try sitting.time(
                    contestants + [try received(inputs[0], tokens, isa, sitting)], rounds: 3)
            }
        }
    }

    /// Attention in f32 alone: what others are compared with.
    func plain(_ sitting: Sitting) throws -> [BenchResult.Row] {
        let plan = try Plan("q8")
        let contestants = try tokens.map { tokens in
            try attention(
                MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim, format: .f32), plan,
                tokens, shape.levels[0], sitting)
        }
        return try sitting.time(contestants, rounds: 3)
    }

    private func attention(
        _ source: MadeUp, _ plan: Plan, _ tokens: Int, _ isa: InstructionSet, _ sitting: Sitting
    ) throws -> Contestant {
        var options = SessionOptions()
        options.workers = sitting.workers(sitting.threads)
        options.instructionSet = isa
        let layer = source.layer(0), queries = source.queries(tokens)
        func outputs() throws -> [[Float]] {
            let session = try CacheSession(plan: plan, geometry: [layer.geometry], options: options)
            try session.append(layer: 0, keys: layer.keys, values: layer.values)
            return try session.attend(layer: 0, queries: queries)
        }
        try check(try outputs(), layer, queries, "prefill of \(tokens) tokens, \(isa.rawValue)")
        return Contestant(
            work: "prefill", codec: source.format.rawValue, tokens: tokens, isa: isa,
            threads: sitting.threads, bytes: [0], yardstick: nil,
            step: { _ in _ = try outputs() },
            figures: { milliseconds, _ in
                figures(gigaflops: self.flops(tokens) / milliseconds / 1e6)
            })
    }

    /// What a plan that observes needs on top.
    private func received(
        _ source: MadeUp, _ tokens: Int, _ isa: InstructionSet, _ sitting: Sitting
    ) throws -> Contestant {
        let cache = try Cache(layers: [source.layer(0, queries: tokens)])
        let options = CompressionOptions(
            workers: sitting.workers(sitting.threads), instructionSet: isa)
        let sums = StageWork.received(cache, options: options)[0]
        // Every query gives a whole.
        for head in 0..<shape.heads.query {
            let sum = sums[head * tokens..<(head + 1) * tokens].reduce(0.0) { $0 + Double($1) }
            try Naive.compare([Float(sum)], [Double(tokens)], "attention received, head \(head)")
        }
        return Contestant(
            work: "prefill", codec: "received attention", tokens: tokens, isa: isa,
            threads: sitting.threads, bytes: [0], yardstick: nil,
            step: { _ in _ = StageWork.received(cache, options: options) },
            figures: { milliseconds, all in
                var figures = figures()
                figures.percent = 100 * milliseconds / all[0]
                figures.note = "of the f32 prefill, on top of it"
                return figures
            })
    }

    private func figures(gigaflops: Double? = nil) -> BenchFigures {
        BenchFigures(
            queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
            gigaflops: gigaflops)
    }

    /// Of both products, where the mask leaves something.
    private func flops(_ tokens: Int) -> Double {
        Double(4 * shape.dim * shape.heads.query) * Double(tokens) * Double(tokens + 1) / 2
    }

    /// Some queries of every head.
    private func check(
        _ outputs: [[Float]], _ layer: CacheLayer, _ queries: [Rows], _ what: String
    ) throws {
        for (head, rows) in queries.enumerated() {
            let kvHead = head / shape.heads.group
            for token in Set([0, rows.count / 3, rows.count - 1]) {
                let exact = Naive.attention(
                    rows[token..<token + 1].floats(),
                    keys: layer.keys[kvHead][0..<token + 1].floats(),
                    values: layer.values[kvHead][0..<token + 1].floats(),
                    bias: [Double](repeating: 0, count: token + 1)
                ).output
                try Naive.compare(
                    Array(outputs[head][token * shape.dim..<(token + 1) * shape.dim]), exact,
                    "\(what), query head \(head), token \(token)")
            }
        }
    }
}
