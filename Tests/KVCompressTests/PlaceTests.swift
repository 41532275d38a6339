import Foundation
import Testing

@testable import KVCompress

/// The place stage: which entries queries read, and where values live.
@Suite struct PlaceTests {
    /// What placements stand behind.
    static let plans = [
        "f32", "f16", "q8", "q4(rotate=hadamard)", "q4(mode=asymmetric, window=21)",
        "q4(keys=per-channel, values=per-channel, group=64, mode=asymmetric)",
        "random(budget=50%) | q8(values=per-channel, group=128)",
        "random(budget=40%, tokens=layer) | kv(keys=q4(axis=per-channel), values=f32, window=40)",
    ]

    private func queries(_ shape: RandomCache, _ count: Int) -> [Rows] {
        // Long ones, so that attention is uneven and choices matter.
        shape.makeQueries(count).map { rows in Rows(rows.floats().map { $0 * 2 }, dim: rows.dim) }
    }

    private func positions(_ count: Int, _ tokens: Int) -> [Int32] {
        (0..<count).map { Int32(tokens * ($0 + 1) / count) - 2 }
    }

    // MARK: N >= T is full attention, to the bit

    private func checkFullAttention(
        _ text: String, _ place: String, _ shape: RandomCache, rows: Int
    ) throws {
        let cache = try shape.make()
        let full = try Plan(text).compress(cache)
        let placed = try Plan("\(text) | \(place)").compress(cache)
        let queries = queries(shape, rows)
        for causal in [false, true] {
            var options = AttentionOptions()
            options.positions = causal ? positions(rows, shape.tokens) : nil
            options.softcap = causal ? 20 : 0
            let expected = try full.attend(queries, layer: 0, options: options).map(\.bits)
            options.workers = Workers(threads: causal ? 3 : 1)
            #expect(
                try placed.attend(queries, layer: 0, options: options).map(\.bits) == expected,
                "\(text) | \(place), \(shape), causal \(causal)")
        }
    }

    /// All codecs and several segments, rows that see a part.
    @Test(arguments: AttentionTests.plans, ["kcache(top=300)", "tokenselect(top=100%)"])
    func everythingChosenIsFullAttention(plan text: String, place: String) throws {
        for seed in 0..<2 {
            try checkFullAttention(
                text, place, RandomCache.any(seed + 60, tokens: 40...300), rows: 3)
        }
    }

    /// More rows than share a pass, and more blocks than a piece.
    @Test(
        arguments: ["f16", "q4(mode=asymmetric)"], ["kcache(top=2100)", "tokenselect(top=100%)"])
    func everythingChosenOfMuch(plan text: String, place: String) throws {
        try checkFullAttention(
            text, place, RandomCache(seed: 3, group: 7, tokens: 70), rows: 90)
        try checkFullAttention(
            text, place, RandomCache(seed: 4, kvHeads: 1, group: 1, tokens: 2100), rows: 2)
    }

    // MARK: Against the definitions

    @Test(arguments: plans, [1, 7, 40]) func kcache(plan text: String, top: Int) throws {
        for seed in 0..<4 {
            let shape = RandomCache.any(seed + 30, tokens: 30...300)
            try checkKCache(
                Plan("\(text) | kcache(top=\(top))").compress(shape.make()), layer: 0, top: top,
                queries: queries(shape, 3), causal: seed % 2 == 1, "\(shape)")
        }
    }

    @Test(arguments: Dump.allCases) func kcacheOnDumps(dump: Dump) throws {
        let cache = try dump.cache()
        for text in ["f16", "h2o(budget=50%) | q8", "q4(rotate=hadamard, window=16)"] {
            let compressed = try Plan("\(text) | kcache(top=16)").compress(cache)
            for (index, layer) in cache.layers.enumerated() {
                let queries = try #require(layer.queries).map { $0[$0.count - 3..<$0.count] }
                try checkKCache(
                    compressed, layer: index, top: 16, queries: queries, causal: false,
                    "\(dump.rawValue), \(text), layer \(index)")
            }
        }
    }

    private func checkKCache(
        _ cache: CompressedCache, layer: Int, top: Int, queries: [Rows], causal: Bool,
        _ what: String
    ) throws {
        let reference = PlacedReference(cache, layer: layer)
        let group = queries.count / reference.heads.count
        let positions = causal ? positions(queries[0].count, cache.tokens) : nil
        var options = AttentionOptions()
        options.positions = positions
        let statistics = AttentionStatistics()
        options.statistics = statistics
        let outputs = try cache.attend(queries, layer: layer, options: options)
        var mass = 0.0, rows = 0, close = 0
        for (head, output) in outputs.enumerated() {
            for row in 0..<queries[head].count {
                let one = reference.kcache(
                    queries[head].row(row), head: head / group, top: top, upTo: positions?[row])
                mass += one.mass
                rows += one.mass > 0 ? 1 : 0
                // Scores of coded keys have errors of their own: neighbours this close may change places.
                if one.margin < 2e-3 {
                    close += 1
                    continue
                }
                let dim = reference.valueDim
                #expect(
                    relativeError(Array(output[row * dim..<(row + 1) * dim]), one.output)
                        < AttentionTests.contract, "\(what), head \(head), row \(row)")
            }
        }
        #expect(close * 3 <= rows, "\(what)")
        #expect(statistics.totals.queries == rows)
        #expect(abs(statistics.totals.mass - mass) < 1e-3 * max(mass, 1), "\(what)")
    }

    @Test(arguments: plans, ["top=10%, sinks=2, recent=5%", "top=7, sinks=0, recent=0"])
    func tokenselect(plan text: String, parameters: String) throws {
        for seed in 0..<4 {
            let shape = RandomCache.any(seed + 80, tokens: 30...300)
            try checkTokenSelect(
                Plan("\(text) | tokenselect(\(parameters))").compress(shape.make()), layer: 0,
                queries: queries(shape, 3), causal: seed % 2 == 1, "\(shape)")
        }
    }

    @Test(arguments: Dump.allCases) func tokenselectOnDumps(dump: Dump) throws {
        let cache = try dump.cache()
        for text in ["f16", "snapkv(budget=50%) | q8"] {
            let compressed = try Plan("\(text) | tokenselect(top=10%, recent=8)").compress(cache)
            for (index, layer) in cache.layers.enumerated() {
                let queries = try #require(layer.queries).map { $0[$0.count - 2..<$0.count] }
                try checkTokenSelect(
                    compressed, layer: index, queries: queries, causal: false,
                    "\(dump.rawValue), \(text), layer \(index)")
            }
        }
    }

    private func checkTokenSelect(
        _ cache: CompressedCache, layer: Int, queries: [Rows], causal: Bool, _ what: String
    ) throws {
        let method = try #require(cache.plan.placement as? TokenSelect)
        let reference = PlacedReference(cache, layer: layer)
        let group = queries.count / reference.heads.count
        let positions = causal ? positions(queries[0].count, cache.tokens) : nil
        var options = AttentionOptions()
        options.positions = positions
        let statistics = AttentionStatistics()
        options.statistics = statistics
        let outputs = try cache.attend(queries, layer: layer, options: options)
        var exact = outputs.map { _ in [Double]() }, mass = 0.0
        for row in 0..<queries[0].count {
            let chosen = reference.selected(
                queries.map { $0.row(row) }, top: method.top.of, sinks: method.sinks,
                recent: method.recent.of, upTo: positions?[row])
            for head in queries.indices {
                let one = reference.output(
                    queries[head].row(row), head: head / group, over: chosen, upTo: positions?[row])
                exact[head] += one.output
                mass += one.mass
            }
        }
        for (head, output) in outputs.enumerated() {
            #expect(
                relativeError(output, exact[head]) < AttentionTests.contract,
                "\(what), head \(head)")
        }
        #expect(abs(statistics.totals.mass - mass) < 1e-3 * max(mass, 1), "\(what)")
    }

    // MARK: What must not change a bit

    @Test(arguments: ["kcache(top=9)", "tokenselect(top=9, recent=3)"])
    func sameBits(place: String) throws {
        for text in Self.plans {
            let shape = RandomCache.any(text.count, tokens: 200...300)
            let cache = try shape.make()
            let plan = try Plan("\(text) | \(place)")
            let compressed = try plan.compress(cache)
            var options = AttentionOptions()
            options.positions = positions(5, shape.tokens)
            let queries = queries(shape, 5)
            let expected = try compressed.attend(queries, layer: 0, options: options).map(\.bits)
            for level in InstructionSet.supported {
                options.workers = Workers(threads: 3)
                options.instructionSet = level
                let again = try plan.compress(
                    cache,
                    options: CompressionOptions(workers: options.workers, instructionSet: level))
                #expect(
                    try again.attend(queries, layer: 0, options: options).map(\.bits) == expected,
                    "\(level), \(text)")
            }
            for row in 0..<5 {
                var single = AttentionOptions()
                single.positions = [options.positions![row]]
                let output = try compressed.attend(
                    queries.map { $0[row..<row + 1] }, layer: 0, options: single)
                let range = row * shape.valueDim..<(row + 1) * shape.valueDim
                #expect(
                    output.map(\.bits) == expected.map { Array($0[range]) }, "row \(row), \(text)")
            }
        }
    }

    /// Equal logits go to the lower position, over segments that interleave.
    @Test func tiesGoToTheLowerPosition() throws {
        let rows = 40, dim = 4
        let keys = Rows([Float](repeating: 1, count: rows * dim), dim: dim)
        let values = Rows((0..<rows * dim).map { $0 % dim == 0 ? Float($0 / dim) : 0 }, dim: dim)
        var layer = LayerCache(viewing: CacheLayer(keys: [keys], values: [values]))
        func segment(_ indices: [Int]) -> Segment {
            let list = PositionList(
                storage: Storage(copying: indices.map(Int32.init)), byteOffset: 0,
                count: indices.count)
            func part(_ rows: Rows) -> Rows {
                Rows(indices.flatMap { rows.row($0) }, dim: dim)
            }
            return Segment(
                keys: Store(viewing: part(keys), side: .keys),
                values: Store(viewing: part(values), side: .values),
                positions: .list(list, offset: 0))
        }
        layer.heads[0] = [
            segment((0..<rows).filter { $0 % 3 == 0 }), segment((0..<rows).filter { $0 % 3 != 0 }),
        ]
        layer.placement = try Plan("kcache(top=5)").placement
        let query = Rows([Float](repeating: 1, count: dim), dim: dim)
        let output = try layer.attend([query], options: AttentionOptions(), allocator: Allocator())
        #expect(abs(output[0][0] - Float(0 + 1 + 2 + 3 + 4) / Float(rows)) < 1e-5)
    }

    /// Few different logits, rows that see a part, segments whose positions interleave.
    @Test(arguments: [1, 5, 64, 200, 900, 5000]) func theLargestAgainstSorting(count: Int) throws {
        for seed in 0..<8 {
            var random = Seeded(seed + count)
            let tokens = Int.random(in: 200...3000, using: &random), dim = 1
            let second = (0..<tokens).map { _ in
                seed % 2 == 1 && Bool.random(using: &random)
            }
            let rows = Rows([Float](repeating: 0, count: tokens), dim: dim)
            var layer = LayerCache(viewing: CacheLayer(keys: [rows], values: [rows]))
            let parts = [false, true].map { part in (0..<tokens).filter { second[$0] == part } }
            layer.heads[0] = parts.filter { !$0.isEmpty }.map { part in
                Segment(
                    keys: Store(viewing: rows[0..<part.count], side: .keys),
                    values: Store(viewing: rows[0..<part.count], side: .values),
                    positions: Positions(copying: part.map(UInt32.init)))
            }
            var memory = EntryChoice.Memory()
            let choice = EntryChoice(
                layer, tokens: 1, group: 2, renormalizes: false, in: &memory,
                allocator: Allocator(), kernels: .best)
            let levels = [2, 40, 1 << 20][seed % 3]
            var logits: [(score: Float, position: Int32, block: Int, entry: Int)] = []
            var first = 0
            for segment in layer.heads[0] {
                for place in 0..<segment.keys.blocks * blockEntries {
                    let (block, entry) = place.quotientAndRemainder(dividingBy: blockEntries)
                    let isSeen = place < segment.count && Int.random(in: 0..<8, using: &random) > 0
                    let score =
                        isSeen
                        ? Float(Int.random(in: -levels...levels, using: &random)) : -.infinity
                    choice.logits(first + block, row: 1)[entry] = score
                    choice.logits(first + block, row: 0)[entry] = 0
                    if isSeen {
                        logits.append((score, segment.positions(place), first + block, entry))
                    }
                }
                first += segment.keys.blocks
            }
            choice.chooseLargest(count, head: 0, row: 1)
            let best = logits.sorted { ($1.score, $0.position) < ($0.score, $1.position) }
            for (place, one) in best.enumerated() {
                #expect(
                    (choice.mask(one.block, row: 1) >> UInt64(one.entry) & 1 == 1)
                        == (place < count),
                    "seed \(seed), place \(place) of \(best.count)")
            }
            let chosen = (0..<first).reduce(0) { $0 + choice.mask($1, row: 1).nonzeroBitCount }
            // Who reads everything reads whole blocks.
            #expect(chosen == min(count, tokens) || chosen >= best.count && count >= best.count)
            #expect((0..<first).allSatisfy { choice.mask($0, row: 0) == 0 })
        }
    }

    // MARK: Where values live

    @Test(arguments: plans) func valuesLiveInAFile(plan text: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kvplace-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var shape = RandomCache.any(text.count, tokens: 100...300)
        shape.layers = 3
        let cache = try shape.make()
        let allocator = Allocator()
        let inMemory = try Plan(text).compress(cache)
        let placed = try Plan("\(text) | kcache(first=1)").compress(
            cache,
            options: CompressionOptions(
                workers: Workers(threads: 3), allocator: allocator, directory: folder))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)

        let ledger = placed.ledger, report = placed.report
        #expect(ledger.components == inMemory.ledger.components)
        #expect(ledger.residentBytes == allocator.heldBytes)
        #expect(ledger.residentBytes + ledger.mappedBytes == inMemory.ledger.residentBytes)
        let values = ledger.components.filter { $0.key.rawValue.hasPrefix("value") }.values.reduce(
            0, +)
        #expect(ledger.mappedBytes * 3 >= values * 2 && ledger.mappedBytes > 0)
        #expect(report.mappedBytes == ledger.mappedBytes)
        #expect(report.residentBytes == ledger.residentBytes)
        for layer in 0..<3 {
            for head in 0..<shape.kvHeads {
                let a = placed.entries(layer: layer, head: head)
                let b = inMemory.entries(layer: layer, head: head)
                #expect(a.values.bits == b.values.bits && a.keys.bits == b.keys.bits)
            }
            #expect((placed.layers[layer].placement == nil) == (layer == 0))
        }
    }

    @Test func noRoomIsAnErrorAndNothingIsLeft() throws {
        let cache = try RandomCache(seed: 1).make()
        let error = #expect(throws: CompressionError.self) {
            try Plan("q8 | kcache").compress(
                cache,
                options: CompressionOptions(directory: URL(fileURLWithPath: "/no/such/folder")))
        }
        #expect(error?.code == .place)
        #expect(error?.description.contains("/no/such/folder") == true)
    }

    @Test(arguments: ["kcache(top=4, first=1)", "tokenselect(top=5)"])
    func survivesTheArchive(place: String) throws {
        var shape = RandomCache.any(7, tokens: 150...200)
        shape.layers = 2
        let compressed = try Plan("random(budget=50%) | q4 | \(place)").compress(shape.make())
        let again = try CompressedCache(archive: compressed.archive())
        #expect(again.plan == compressed.plan && again.report == compressed.report)
        for layer in 0..<2 {
            let queries = queries(shape, 2)
            #expect(
                try again.attend(queries, layer: layer).map(\.bits)
                    == compressed.attend(queries, layer: layer).map(\.bits))
        }
    }

    /// Reading fewer values costs attention that is not covered, and the bytes say so.
    @Test func statistics() throws {
        let shape = RandomCache(seed: 4, tokens: 200, keyDim: 32, valueDim: 16)
        let cache = try shape.make()
        var last = AttentionStatistics.Totals()
        for top in [1, 5, 50, 200] {
            let compressed = try Plan("f16 | kcache(top=\(top))").compress(cache)
            let statistics = AttentionStatistics()
            var options = AttentionOptions()
            options.statistics = statistics
            _ = try compressed.attend(queries(shape, 1), layer: 0, options: options)
            let totals = statistics.totals
            #expect(totals.queries == 4 && totals.mass > last.mass && totals.mass <= 4.0001)
            #expect(totals.valueBytes > last.valueBytes)
            // Two query heads share what a kv head reads.
            #expect(totals.valueBytes <= min(4 * top, 2 * 200) * 16 * 2)
            last = totals
        }
        #expect(last.valueBytes == 2 * 200 * 16 * 2 && abs(last.mass - 4) < 1e-9)
    }

    @Test(arguments: Dump.allCases) func comparison(dump: Dump) throws {
        let comparison = try Comparison(cache: dump.cache(), holdout: 16)
        let full = try comparison.row(for: Plan("q8"))
        #expect(full.valueBytesPerStep == nil && full.massCovered == nil)
        for place in ["kcache(top=32)", "tokenselect"] {
            let row = try comparison.row(for: Plan("q8 | \(place)"))
            let covered = try #require(row.massCovered), bytes = try #require(row.valueBytesPerStep)
            #expect(covered > 0.3 && covered <= 1.0001)
            let values = row.report.components.filter { $0.key.hasPrefix("value") }.values.reduce(
                0, +)
            #expect(bytes > 0 && bytes < values)
            #expect(row.errorMean >= full.errorMean && row.errorMean < 0.5)
            #expect((row.report.mappedBytes > 0) == place.hasPrefix("kcache"))
        }
    }
}
