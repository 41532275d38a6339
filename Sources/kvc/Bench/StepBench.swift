import KVCompress

/// What a session's decode step costs beside its kernels.
struct StepBench {
    private let plans: [Plan]
    private let shape: BenchShape

    private static let layers = 8
    private static let steps = 32
    /// Tokens of the two caches whose times make a line; at no tokens it is what is not the kernels'.
    private static let tokens = (few: 64, many: 1024)

    init(_ shape: BenchShape) throws {
        self.shape = shape
        plans = try shape.plans(default: "f16", "q4")
    }

    func run(_ sitting: Sitting) throws {
        let teams = sitting.threads == 1 ? [1] : [1, sitting.threads]
        for threads in teams {
            for plan in plans {
                for isa in shape.levels {
                    sitting.status.now("steps of \(plan)")
                    try sitting.time(
                        [Self.tokens.few, Self.tokens.many].map {
                            try contestant(plan, $0, isa, threads, sitting)
                        }, rounds: 20)
                }
            }
        }
    }

    private func contestant(
        _ plan: Plan, _ tokens: Int, _ isa: InstructionSet, _ threads: Int, _ sitting: Sitting
    ) throws -> Contestant {
        var options = SessionOptions()
        options.workers = sitting.workers(threads)
        options.instructionSet = isa
        let allocator = options.allocator
        let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim, format: .f32)
        let layer = source.layer(0, queries: 1), queries = source.queries(1)
        let newest = CacheLayer(
            keys: layer.keys.map { $0[0..<1] }, values: layer.values.map { $0[0..<1] })
        let base = try CacheSession(
            plan: plan, geometry: (0..<Self.layers).map { _ in layer.geometry }, options: options)
        for index in 0..<Self.layers {
            try base.append(layer: index, keys: layer.keys, values: layer.values)
            if plan.needsQueries { _ = try base.attend(layer: index, queries: queries) }
        }
        try base.compress()
        var session = base
        func step() throws -> [[Float]] {
            var outputs: [[Float]] = []
            for index in 0..<Self.layers {
                try session.append(layer: index, keys: newest.keys, values: newest.values)
                outputs = try session.attend(layer: index, queries: queries)
            }
            return outputs
        }
        func start() throws {
            session = base.fork()
            // The first tokens make room for those that follow.
            for _ in 0..<16 { _ = try step() }
        }
        try start()
        try check(
            try step(), [layer] + (0..<17).map { _ in newest }, queries,
            "\(plan), a step of \(tokens) tokens", plan)
        let before = allocator.allocations
        for _ in 0..<Self.steps { _ = try step() }
        let allocations = allocator.allocations - before
        return Contestant(
            work: "step", codec: plan.description, tokens: tokens, isa: isa, threads: threads,
            bytes: [0], yardstick: nil, units: Self.steps * Self.layers,
            before: { _ in try start() },
            step: { _ in for _ in 0..<Self.steps { _ = try step() } },
            figures: { milliseconds, all in
                var figures = BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    allocationsPerStep: Double(allocations) / Double(Self.steps))
                if tokens == Self.tokens.few {
                    let (few, many) = (Double(Self.tokens.few), Double(Self.tokens.many))
                    let slope = (all[1] - all[0]) / (many - few)
                    figures.microsecondsPerLayer = 1e3 * (milliseconds - slope * (few + 32))
                    figures.note = "one layer; beside the kernels, from the line to no tokens"
                }
                return figures
            })
    }

    /// Refuses a step that is not near exact attention: codes move it, so the bound is a loose one.
    private func check(
        _ outputs: [[Float]], _ parts: [CacheLayer], _ queries: [Rows], _ what: String, _ plan: Plan
    ) throws {
        guard plan.keepsAll else { return }
        for (head, query) in queries.enumerated() {
            let kvHead = head / shape.heads.group
            let keys = parts.flatMap { $0.keys[kvHead].floats() }
            let exact = Naive.attention(
                query.floats(), keys: keys, values: parts.flatMap { $0.values[kvHead].floats() },
                bias: [Double](repeating: 0, count: keys.count / shape.dim)
            ).output
            try Naive.compare(outputs[head], exact, "\(what), query head \(head)", bound: 0.5)
        }
    }
}
