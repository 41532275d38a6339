import Testing

@testable import KVCompress

/// The project stage: bases, what is stored through them, and attention on that.
@Suite struct ProjectorTests {
    static let plans = [
        "lowrank(keys=5, values=60%)", "lowrank(keys=80%)", "lowrank(values=3)", "think(keep=50%)",
        "lowrank(keys=75%, values=75%) | q4", "lowrank(keys=6) | q8(keys=per-channel, window=9)",
        "h2o(budget=50%) | think(keep=50%) | q8(keys=per-channel)",
        "random(budget=60%) | lowrank(keys=4, values=4) | q4(rotate=hadamard, window=13)",
        "lowrank(keys=5, values=60%, rope=undo)", "lowrank(keys=75%, rope=undo) | q4",
        "random(budget=60%) | lowrank(keys=4, rope=undo) | q8(keys=per-channel, window=21)",
        "think(keep=30%, observe=4) | kv(keys=q4(mode=asymmetric), values=bf16, protect=1)",
    ]

    /// A cache of few strong directions: what bases are for.
    static func shape(_ seed: Int, queries: Int? = 40) -> RandomCache {
        var random = Seeded(seed)
        return RandomCache(
            seed: seed, layers: 3, kvHeads: 2, group: random.pick([1, 2, 4]),
            tokens: random.int(150...260), keyDim: random.pick([8, 12, 33]),
            valueDim: random.pick([7, 16]), queries: queries)
    }

    private func bases(_ cache: CompressedCache, _ side: Side, layer: Int, head: Int) -> [Basis] {
        cache.layers[layer].heads[head].flatMap {
            (side == .keys ? $0.keys : $0.values).codec.bases
        }
    }

    // MARK: Low rank

    /// Every basis is orthonormal, has the rank that was asked for, and holds as much energy as the best.
    @Test(arguments: [0, 40]) func strongestDirections(queries: Int) throws {
        for seed in 0..<6 {
            let shape = Self.shape(seed, queries: queries == 0 ? nil : queries)
            let cache = try shape.make()
            let compressed = try Plan("lowrank(keys=3, values=50%)").compress(cache)
            #expect(compressed.report.remarks.isEmpty == (queries > 0))
            for (index, layer) in cache.layers.enumerated() {
                for head in 0..<shape.kvHeads {
                    let group = shape.group
                    let heads = layer.queries?[head * group..<(head + 1) * group] ?? []
                    let keys = LowRankReference(
                        [layer.keys[head].doubles, heads.flatMap(\.doubles)], dim: shape.keyDim)
                    let values = LowRankReference(
                        [layer.values[head].doubles], dim: shape.valueDim)
                    for (side, reference, rank) in [
                        (Side.keys, keys, 3), (.values, values, values.rank(share: 0.5)),
                    ] {
                        let found = bases(compressed, side, layer: index, head: head)
                        try #require(found.count == 1)
                        let directions = found[0].directions
                        #expect(directions.count == rank, "\(shape)")
                        for (i, a) in directions.enumerated() {
                            for (j, b) in directions.enumerated() {
                                let dot = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
                                #expect(abs(dot - (i == j ? 1 : 0)) < 2e-3, "\(shape)")
                            }
                        }
                        let best = reference.energies[..<rank].reduce(0, +)
                        #expect(
                            abs(reference.energy(along: directions) / best - 1) < 2e-3,
                            "\(side), \(shape)")
                    }
                }
            }
        }
    }

    /// Entries are their originals projected on the stored directions.
    @Test func projections() throws {
        for seed in 0..<6 {
            let shape = Self.shape(seed)
            let cache = try shape.make()
            let compressed = try Plan("random(budget=70%) | lowrank(keys=4, values=3)").compress(
                cache)
            for head in 0..<shape.kvHeads {
                let entries = compressed.entries(layer: 1, head: head)
                let layer = cache.layers[1]
                for (side, rows, decoded) in [
                    (Side.keys, layer.keys[head], entries.keys),
                    (.values, layer.values[head], entries.values),
                ] {
                    let directions = bases(compressed, side, layer: 1, head: head)[0].directions
                    var (difference, size) = (0.0, 0.0)
                    for (index, position) in entries.positions.enumerated() {
                        let row = rows.row(Int(position)).map(Double.init)
                        var expected = [Double](repeating: 0, count: rows.dim)
                        for b in directions {
                            let coefficient = zip(b, row).reduce(0) { $0 + $1.0 * $1.1 }
                            for c in expected.indices { expected[c] += coefficient * b[c] }
                        }
                        for c in expected.indices {
                            let found = Double(decoded[index * rows.dim + c])
                            difference += (found - expected[c]) * (found - expected[c])
                            size += row[c] * row[c]
                        }
                    }
                    #expect((difference / size).squareRoot() < 1e-3, "\(side), \(shape)")
                }
            }
        }
    }

    /// Rows that lie in few directions lose nothing in as many; a basis of all directions is not stored.
    @Test func enoughDirectionsLoseNothing() throws {
        for seed in 0..<5 {
            var random = Seeded(seed)
            let (rank, dim, tokens) = (random.int(2...6), 16, 200)
            func rows() -> Rows {
                let basis = random.floats(rank * dim)
                return Rows(
                    (0..<tokens).flatMap { _ in
                        let weights = (0..<rank).map { _ in random.normal() }
                        return (0..<dim).map { c in
                            (0..<rank).reduce(Float(0)) { $0 + weights[$1] * basis[$1 * dim + c] }
                        }
                    }, dim: dim)
            }
            let cache = try Cache(layers: [
                CacheLayer(keys: [rows(), rows()], values: [rows(), rows()])
            ])
            let queries = (0..<2).map { _ in Rows(random.floats(3 * dim), dim: dim) }
            let exact = try Plan("f32").compress(cache).attend(queries, layer: 0)
            let low = try Plan("lowrank(keys=\(rank), values=\(rank))").compress(cache)
            #expect(bases(low, .keys, layer: 0, head: 0).first?.rank == rank)
            let full = try Plan("lowrank(keys=\(dim), values=999)").compress(cache)
            #expect(bases(full, .keys, layer: 0, head: 0).isEmpty)
            for cache in [low, full] {
                for (a, b) in zip(try cache.attend(queries, layer: 0), exact) {
                    #expect(relativeError(a, b.map(Double.init)) < 1e-3, "rank \(rank)")
                }
            }
        }
    }

    /// What `rope=undo` finds and stores: directions, and entries, of keys before RoPE.
    @Test func directionsBeforeRoPE() throws {
        for seed in 0..<4 {
            let shape = Self.shape(seed)
            let cache = try shape.make()
            let compressed = try Plan("random(budget=70%) | lowrank(keys=3, rope=undo)").compress(
                cache)
            let rope = RoPEReference(cache, dim: shape.keyDim)
            for head in 0..<shape.kvHeads {
                let layer = cache.layers[1], group = shape.group
                let entries = compressed.entries(layer: 1, head: head)
                let keys = entries.positions.map {
                    rope.turned(
                        layer.keys[head].row(Int($0)).map(Double.init), position: Int($0),
                        back: true)
                }
                let queries = layer.queries![head * group..<(head + 1) * group].flatMap { rows in
                    rows.doubles.enumerated().map {
                        rope.turned($1, position: shape.tokens - rows.count + $0, back: true)
                    }
                }
                let reference = LowRankReference([keys, queries], dim: shape.keyDim)
                let directions = bases(compressed, .keys, layer: 1, head: head)[0].directions
                let best = reference.energies[..<3].reduce(0, +)
                #expect(abs(reference.energy(along: directions) / best - 1) < 2e-3, "\(shape)")
                var expected: [Double] = []
                for (key, position) in zip(keys, entries.positions) {
                    var row = key.map { _ in 0.0 }
                    for b in directions {
                        let coefficient = zip(b, key).reduce(0) { $0 + $1.0 * $1.1 }
                        for c in row.indices { row[c] += coefficient * b[c] }
                    }
                    expected += rope.turned(row, position: Int(position))
                }
                #expect(relativeError(entries.keys, expected) < 1e-3, "\(shape)")
            }
        }
    }

    /// Keys of two directions before RoPE have many behind it: only `undo` loses nothing in two.
    @Test(arguments: ["split-half", "interleaved"]) func undoFindsWhatRoPEHides(style: String)
        throws
    {
        var random = Seeded(1)
        let (dim, tokens) = (16, 300), basis = random.floats(2 * dim)
        let metadata = ["rope_theta": "10000", "rope_style": style]
        let empty = try Cache(
            layers: [CacheLayer(keys: [Rows([1], dim: 1)], values: [Rows([1], dim: 1)])],
            metadata: metadata)
        let rope = RoPEReference(empty, dim: dim)
        let keys = (0..<tokens).flatMap { token in
            let (a, b) = (random.normal(), random.normal())
            let row = (0..<dim).map { Double(a * basis[$0] + b * basis[dim + $0]) }
            return rope.turned(row, position: token).map { Float($0) }
        }
        let rows = Rows(keys, dim: dim)
        let cache = try Cache(
            layers: [CacheLayer(keys: [rows], values: [rows])], metadata: metadata)
        func error(_ plan: String) throws -> Double {
            let compressed = try Plan(plan).compress(cache)
            return relativeError(
                compressed.entries(layer: 0, head: 0).keys, keys.map(Double.init))
        }
        #expect(try error("lowrank(keys=2, rope=undo)") < 1e-3)
        #expect(try error("lowrank(keys=2)") > 0.3)
    }

    /// A cache that does not say how it is turned is refused, by the name of what is missing or wrong.
    @Test func ropeMetadata() throws {
        let shape = RandomCache(seed: 1, layers: 2, keyDim: 12, queries: 5)
        for (name, text, words) in [
            ("rope_theta", nil, ["rope_theta", "rope=undo"]), ("rope_style", nil, ["rope_style"]),
            ("rope_theta", "0.5", ["rope_theta='0.5'"]), ("rope_theta", "inf", ["rope_theta"]),
            ("rope_style", "other", ["'other'", "split-half or interleaved"]),
            ("rope_dims", "3", ["rope_dims='3'", "even"]),
            ("rope_dims", "14", ["layer 0", "14", "12"]),
        ] as [(String, String?, [String])] {
            var cache = try shape.make()
            cache.metadata[name] = text
            let error = #expect(throws: CompressionError.self) {
                try Plan("lowrank(keys=2, rope=undo)").compress(cache)
            }
            #expect(error?.code == .cache)
            for word in words {
                #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
            }
            _ = try Plan("lowrank(keys=2)").compress(cache)
        }
        var single = try RandomCache(seed: 1, keyDim: 1, queries: 5).make()
        single.metadata["rope_dims"] = nil
        let error = #expect(throws: CompressionError.self) {
            try Plan("lowrank(keys=1, rope=undo)").compress(single)
        }
        #expect(error?.description.contains("key dim 1") == true)
        var scaled = try shape.make()
        scaled.metadata["rope_scaling"] = "yarn"
        let remarks = try Plan("lowrank(keys=2, rope=undo)").compress(scaled).report.remarks
        #expect(remarks.contains { $0.contains("rope_scaling=yarn") })
    }

    /// All directions through the codec itself, which no plan would store.
    @Test func allDirectionsAreExact() throws {
        let shape = RandomCache(seed: 4, tokens: 200, keyDim: 33)
        let rows = try shape.make().layers[0].keys[0]
        let axes = PrincipalAxes(of: [rows.floats()], dim: 33)
        let basis = Basis(
            matrix: axes.strongest(33), dim: 33, allocator: Allocator(), kernels: .best)
        let codec = CodecConfiguration(.f32).codec(.keys, dim: 33, through: [basis])
        var writer = StoreWriter()
        _ = writer.add(DraftRows(rows, Array(0..<200)), Array(0..<200), codec: codec)
        let decoded = try writer.write(in: nil, allocator: Allocator(), kernels: .best)[0].decoded()
        let error = relativeError(decoded, rows.floats().map(Double.init))
        print("all directions: relative error \(error)")
        #expect(error < 1e-3)
    }

    @Test func rowsOfZeros() throws {
        let zeros = Rows([Float](repeating: 0, count: 100 * 8), dim: 8)
        let cache = try Cache(layers: [
            CacheLayer(keys: [zeros], values: [zeros], queries: [zeros])
        ])
        for text in ["lowrank(keys=90%, values=2)", "think(keep=25%)"] {
            let entries = try Plan(text).compress(cache).entries(layer: 0, head: 0)
            #expect(entries.keys == zeros.floats() && entries.values == zeros.floats())
        }
    }

    // MARK: ThinK

    /// The channels are the reference's; what is kept is exact, what is dropped is zero and takes no bytes.
    @Test(arguments: ["think", "think(keep=25%, observe=5)", "think(keep=1%, observe=999)"])
    func channels(plan text: String) throws {
        let plan = try Plan(text)
        let think = try #require(plan.projector as? ThinK)
        for seed in 0..<8 {
            let shape = Self.shape(seed)
            let cache = try shape.make()
            let compressed = try plan.compress(cache)
            #expect(compressed.report.remarks.isEmpty == (think.observe <= 40))
            for (index, layer) in cache.layers.enumerated() {
                for head in 0..<shape.kvHeads {
                    let group = shape.group
                    let queries = layer.queries![head * group..<(head + 1) * group].map {
                        Array($0.doubles.suffix(think.observe))
                    }
                    let keep = max(1, think.keep.of(shape.keyDim))
                    let kept = thinkReference(
                        keys: layer.keys[head].doubles, queries: queries, keep: keep)
                    let basis = bases(compressed, .keys, layer: index, head: head)[0]
                    #expect((0..<basis.rank).map { Int(basis.numbers[$0]) } == kept, "\(shape)")
                    let original = layer.keys[head].converted(to: .f16).floats()
                    let keys = compressed.entries(layer: index, head: head).keys
                    for (element, key) in keys.enumerated() {
                        let stays = kept.contains(element % shape.keyDim)
                        #expect(key == (stays ? original[element] : 0), "\(shape)")
                    }
                    #expect(bases(compressed, .values, layer: index, head: head).isEmpty)
                }
            }
        }
    }

    // MARK: Both

    /// The accuracy contract, on random caches and on both dumps.
    @Test(arguments: plans) func contract(plan text: String) throws {
        let plan = try Plan(text)
        for seed in 0..<6 {
            let shape = Self.shape(seed)
            let compressed = try plan.compress(try shape.make())
            var options = AttentionOptions()
            if seed % 2 == 1 { options.positions = [-1, 70, Int32(shape.tokens)] }
            for layer in 0..<shape.layers {
                let error = try compressed.worstError(
                    shape.makeQueries(3), layer: layer, options: options)
                #expect(error < AttentionTests.contract, "\(text), \(shape)")
            }
        }
    }

    @Test(arguments: Dump.allCases) func contractOnDumps(dump: Dump) throws {
        let cache = try dump.cache()
        var worst = (error: 0.0, at: "")
        for text in Self.plans + [
            "snapkv(budget=50%) | kvcrush | lowrank(keys=90%, values=90%) | q8"
        ] {
            let compressed = try Plan(text).compress(cache)
            for (index, layer) in cache.layers.enumerated() {
                let queries = try #require(layer.queries).map { $0[$0.count - 3..<$0.count] }
                let error = try compressed.worstError(queries, layer: index)
                if error > worst.error { worst = (error, "\(text), layer \(index)") }
                #expect(
                    error < AttentionTests.contract, "\(dump.rawValue), \(text), layer \(index)")
            }
        }
        print("projected on \(dump.rawValue): worst relative error \(worst.error) (\(worst.at))")
    }

    /// An archive gives the same cache again.
    @Test(arguments: plans) func archives(plan text: String) throws {
        let shape = Self.shape(5)
        let cache = try Plan(text).compress(try shape.make())
        let again = try CompressedCache(archive: cache.archive())
        #expect(again.ledger == cache.ledger && again.report == cache.report)
        #expect(again.archive().manifest == cache.archive().manifest)
        let queries = shape.makeQueries(3)
        for layer in 0..<shape.layers {
            let a = try cache.attend(queries, layer: layer).map(\.bits)
            #expect(try again.attend(queries, layer: layer).map(\.bits) == a)
            for head in 0..<shape.kvHeads {
                let x = cache.entries(layer: layer, head: head)
                let y = again.entries(layer: layer, head: head)
                #expect(x.keys.bits == y.keys.bits && x.values.bits == y.values.bits)
            }
        }
    }

    /// Threads and levels change nothing: not the bases, not the outputs.
    @Test(arguments: plans) func sameBits(plan text: String) throws {
        let shape = Self.shape(3)
        let cache = try shape.make()
        let queries = shape.makeQueries(3)
        let expected = try Plan(text).compress(cache).attend(queries, layer: 1).map(\.bits)
        for set in InstructionSet.supported {
            for threads in [1, 3] {
                var options = AttentionOptions()
                options.workers = Workers(threads: threads)
                options.instructionSet = set
                let again = try Plan(text).compress(
                    cache,
                    options: CompressionOptions(workers: options.workers, instructionSet: set))
                let found = try again.attend(queries, layer: 1, options: options).map(\.bits)
                #expect(found == expected, "\(set), \(threads) threads")
            }
        }
    }

    /// Bases and coefficients take what their definition says, and nothing else is held.
    @Test func ledger() throws {
        for seed in 0..<6 {
            let shape = Self.shape(seed)
            let cache = try shape.make()
            let heads = shape.layers * shape.kvHeads, tokens = shape.tokens
            func components(_ text: String) throws -> [Component: Int] {
                let allocator = Allocator()
                let compressed = try Plan(text).compress(
                    cache, options: CompressionOptions(allocator: allocator))
                #expect(compressed.ledger.residentBytes == allocator.heldBytes)
                return compressed.ledger.components.filter { $0.value > 0 }
            }
            #expect(
                try components("lowrank(keys=3, values=2)") == [
                    .keyRows: heads * tokens * 3 * 2, .valueRows: heads * tokens * 2 * 2,
                    .bases: heads * (3 * shape.keyDim + 2 * shape.valueDim) * 2,
                ])
            // Four elements to a lane; a window of 50 stays as it is.
            #expect(
                try components("lowrank(keys=3) | q8(window=50)") == [
                    .keyCodes: heads * (tokens - 50) * 4, .keyScales: heads * (tokens - 50) * 2,
                    .keyRows: heads * 50 * shape.keyDim * 2,
                    .valueCodes: heads * (tokens - 50) * shape.valueDim,
                    .valueScales: heads * (tokens - 50) * 2,
                    .valueRows: heads * 50 * shape.valueDim * 2,
                    .bases: heads * 3 * shape.keyDim * 2,
                ])
            // Of keys before RoPE nothing else is stored, but for positions that are no run.
            #expect(
                try components("random(budget=80%, tokens=layer) | lowrank(keys=3, rope=undo)")
                    == {
                        let kept = Share(millionths: 800_000).of(tokens)
                        return [
                            .keyRows: heads * kept * 3 * 2,
                            .valueRows: heads * kept * shape.valueDim * 2,
                            .bases: heads * 3 * shape.keyDim * 2,
                            .positions: shape.layers * kept * 4,
                        ]
                    }())
            let kept = Share(millionths: 500_000).of(shape.keyDim)
            #expect(
                try components("think(keep=50%)") == [
                    .keyRows: heads * tokens * kept * 2,
                    .valueRows: heads * tokens * shape.valueDim * 2, .bases: heads * kept * 2,
                ])
        }
    }

    /// A basis is used exactly when it makes the head smaller, counted in what its codec stores.
    @Test(arguments: ["f16", "q8", "q4", "f32"]) func basesPay(codec: String) throws {
        func rowBytes(_ dim: Int) -> Int {
            switch codec {
            // One scale for up to 32 codes, four or eight codes to a lane.
            case "q8": (dim + 3) / 4 * 4 + 2
            case "q4": (dim + 7) / 8 * 4 + 2
            case "f32": dim * 4
            default: dim * 2
            }
        }
        var used = 0
        for tokens in [2, 5, 8, 13, 20, 40, 80, 160] {
            let shape = RandomCache(
                seed: tokens, kvHeads: 1, group: 1, tokens: tokens, queries: tokens)
            let cache = try shape.make()
            let plain = try Plan(codec).compress(cache).ledger.storedBytes
            for rank in [1, 8, 16, 28] {
                let low = try Plan("lowrank(keys=\(rank)) | \(codec)").compress(cache)
                let isUsed = !bases(low, .keys, layer: 0, head: 0).isEmpty
                #expect(low.ledger.storedBytes <= plain, "\(tokens) tokens, rank \(rank)")
                #expect(
                    isUsed == (tokens * rowBytes(rank) + rank * 32 * 2 <= tokens * rowBytes(32)))
                used += isUsed ? 1 : 0
            }
        }
        #expect((1..<32).contains(used))
    }

    /// What the encode stage keeps in full precision keeps all its dimensions too.
    @Test(arguments: ["lowrank(keys=2, values=2)", "think(keep=25%)"])
    func windowAndProtectedLayers(project: String) throws {
        var shape = Self.shape(7)
        shape.format = .f16
        let cache = try shape.make()
        let compressed = try Plan("\(project) | kv(window=30, protect=1)").compress(cache)
        for layer in 0..<3 {
            let keys = compressed.entries(layer: layer, head: 0).keys
            let original = cache.layers[layer].keys[0].floats()
            let first = layer == 1 ? (shape.tokens - 30) * shape.keyDim : 0
            #expect(keys[first...] == original[first...], "layer \(layer)")
            #expect((keys == original) == (layer != 1))
        }
    }

    /// Rows so large that coefficients might overflow are refused, all others come out finite.
    @Test(arguments: ["f16", "q4", "f32", "q8(rotate=hadamard)"]) func extremes(codec: String)
        throws
    {
        for size in [Float(2e3), 1e4, 6e4, 1e18, 1e37] {
            let floats = (0..<70 * 16).map { $0 / 16 % 3 == 0 ? -size : size }
            let rows = Rows(floats, dim: 16)
            let cache = try Cache(layers: [CacheLayer(keys: [rows], values: [rows])])
            do {
                let entries = try Plan("lowrank(keys=1, values=1) | \(codec)").compress(cache)
                    .entries(layer: 0, head: 0)
                for decoded in [entries.keys, entries.values] {
                    #expect(relativeError(decoded, floats.map(Double.init)) < 0.02, "\(size)")
                }
            } catch {
                #expect(error.code == .values && size > 1.5e4, "\(error)")
            }
        }
    }

    // MARK: Plans

    @Test func refusals() {
        for (text, words) in [
            ("lowrank", ["lowrank", "'keys' and 'values'"]),
            ("lowrank(keys=0)", ["keys=0", "64", "90%"]),
            ("lowrank(keys=0.9)", ["Did you mean '90%'?"]),
            ("lowrank(values=2, rope=undo)", ["rope=undo needs keys"]),
            ("lowrank(keys=2, rope=undone)", ["keep | undo", "Did you mean 'undo'?"]),
            ("lowrank(values=101%)", ["values=101%"]),
            ("think(keep=0%)", ["keep=0%", "above 0%"]), ("think(keep=12)", ["keep=12", "share"]),
            ("think | lowrank(keys=1)", ["both project stages"]),
        ] {
            let error = #expect(throws: CompressionError.self) { try Plan(text) }
            for word in words {
                #expect(error?.description.contains(word) == true, "\(error?.description ?? text)")
            }
        }
        let error = #expect(throws: CompressionError.self) {
            try Plan("think").compress(RandomCache(seed: 1).make())
        }
        #expect(error?.code == .queries && error?.description.contains("lowrank") == true)
    }

    @Test(arguments: plans) func textRoundTrip(text: String) throws {
        let plan = try Plan(text)
        #expect(try plan.description == text && Plan(plan.description) == plan)
        #expect(try Plan("lowrank(keys=3)") == Plan("lowrank(keys=3, rope=keep)"))
        #expect(try Plan("think") == Plan("think(keep=60%, observe=32)"))
    }
}
