import KVCompress

/// What a session's decode step costs beside its kernels.
struct StepBench {
    private let plans: [Plan]
    private let shape: BenchShape

    private static let layers = 8
    private static let steps = 32
    /// Tokens of the cache: few, so that little is the kernels'.
    private static let tokens = 64

    init(_ shape: BenchShape) throws {
        self.shape = shape
        plans = try shape.plans(default: "f16", "q4")
    }

    func run(_ sitting: Sitting) throws {
        let teams = sitting.threads == 1 ? [1] : [1, sitting.threads]
        for threads in teams {
            for plan in plans {
                guard plan.leastLayers == 1, plan.valuesRead == nil, !plan.choosesOtherwise else {
                    throw CompressionError(
                        .plan,
                        "'\(plan)' has no kernels that stand alone; expected a plan that "
                            + "shares nothing between layers and reads all entries")
                }
                for isa in shape.levels {
                    sitting.status.now("steps of \(plan)")
                    try sitting.time(
                        try contestants(plan, isa, threads, sitting), rounds: 20)
                }
            }
        }
    }

    /// A session's steps, and their kernels with nothing between them.
    private func contestants(
        _ plan: Plan, _ isa: InstructionSet, _ threads: Int, _ sitting: Sitting
    ) throws -> [Contestant] {
        var options = SessionOptions()
        options.workers = sitting.workers(threads)
        options.instructionSet = isa
        let allocator = options.allocator, tokens = Self.tokens
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
        let stepped = Stepped(newest, queries, layers: Self.layers, session: base)
        func start() throws {
            stepped.session = base.fork()
            // The first tokens make room for those that follow.
            for _ in 0..<16 { try stepped.step() }
        }
        try start()
        try stepped.step()
        try check(
            stepped.outputs, [layer] + (0..<17).map { _ in newest }, queries,
            "\(plan), a step of \(tokens) tokens", plan)
        // Before anybody else holds the rows: a session copies what others may read.
        let before = allocator.allocations
        for _ in 0..<Self.steps { try stepped.step() }
        let allocations = allocator.allocations - before
        try start()
        try stepped.step()
        let bare = StepKernels(
            stepped.session, queries: queries, layers: Self.layers, instructionSet: isa)
        bare.run()
        guard Array(bare.outputs) == stepped.outputs else {
            throw CompressionError(.values, "\(plan): the kernels alone give other outputs")
        }
        // The kernels see as many tokens as steps do in the middle.
        try start()
        for _ in 0..<Self.steps / 2 { try stepped.step() }
        let kernels = StepKernels(
            stepped.session, queries: queries, layers: Self.layers, instructionSet: isa)
        var figures = BenchFigures(
            queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim)
        let steps = Contestant(
            work: "step", codec: plan.description, tokens: tokens, isa: isa, threads: threads,
            bytes: [0], yardstick: nil, units: Self.steps * Self.layers,
            before: { _ in try start() },
            step: { _ in for _ in 0..<Self.steps { try stepped.step() } },
            figures: { [figures] milliseconds, all in
                var figures = figures
                figures.allocationsPerStep = Double(allocations) / Double(Self.steps)
                figures.microsecondsPerLayer = 1e3 * (milliseconds - all[1] / Double(threads))
                figures.note = "one layer; beside the kernels"
                return figures
            })
        figures.note = "one layer"
        return [
            steps,
            Contestant(
                work: "step", codec: "\(plan), kernels alone", tokens: tokens, isa: isa,
                threads: 1, bytes: [0], yardstick: nil, units: Self.steps * Self.layers,
                step: { _ in for _ in 0..<Self.steps { kernels.run() } },
                figures: { [figures] _, _ in figures }),
        ]
    }

    /// Refuses a step that is not near exact attention: codes move it, so the bound is a loose one.
    private func check(
        _ outputs: [Float], _ parts: [CacheLayer], _ queries: [Rows], _ what: String, _ plan: Plan
    ) throws {
        guard plan.keepsAll else { return }
        for (head, query) in queries.enumerated() {
            let kvHead = head / shape.heads.group
            let keys = parts.flatMap { $0.keys[kvHead].floats() }
            let exact = Naive.attention(
                query.floats(), keys: keys, values: parts.flatMap { $0.values[kvHead].floats() },
                bias: [Double](repeating: 0, count: keys.count / shape.dim)
            ).output
            try Naive.compare(
                Array(outputs[head * shape.dim..<(head + 1) * shape.dim]), exact,
                "\(what), query head \(head)", bound: 0.5)
        }
    }
}

/// A session that takes the same token again and again, from one piece of memory to another.
private final class Stepped {
    var session: CacheSession
    private(set) var outputs: [Float]
    private let rows: UnsafeMutableBufferPointer<Float>
    private let dim: Int
    private let heads: (kv: Int, query: Int)
    private let layers: Int

    init(_ newest: CacheLayer, _ queries: [Rows], layers: Int, session: CacheSession) {
        self.session = session
        self.layers = layers
        heads = (newest.keys.count, queries.count)
        dim = newest.geometry.keyDim
        let numbers = (newest.keys + newest.values + queries).flatMap { $0.floats() }
        rows = .allocate(capacity: numbers.count)
        _ = rows.initialize(from: numbers)
        outputs = [Float](repeating: 0, count: queries.count * dim)
    }

    deinit { rows.deallocate() }

    private func block(_ first: Int, _ heads: Int) -> RowBlock {
        RowBlock(
            unsafe: rows.baseAddress! + first * dim, heads: heads, tokens: 1, dim: dim)
    }

    /// A token through every layer.
    func step() throws {
        for layer in 0..<layers {
            try session.append(
                layer: layer, keys: block(0, heads.kv), values: block(heads.kv, heads.kv))
            try outputs.withUnsafeMutableBufferPointer {
                try session.attend(
                    layer: layer, queries: block(2 * heads.kv, heads.query), into: $0)
            }
        }
    }
}
