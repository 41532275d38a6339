import Testing

@testable import KVCompress

/// A session is the one-shot cache that grows: same bits where nothing is lost, bounded where a plan says so.
@Suite struct SessionTests {
    @Test(arguments: ["f32", "q4", "h2o(budget=25%) | q8"])
    func prefillDoesNotDependOnItsChunks(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 1, tokens: 230)
        let whole = try SessionDriver(text, cache).feed(0..<230, chunk: 230)
        for chunk in [1, 7, 64, 100] {
            #expect(try SessionDriver(text, cache).feed(0..<230, chunk: chunk) == whole, "\(chunk)")
        }
    }

    static let plans = [
        "f32", "f16", "q8", "q4(rotate=hadamard)", "q4(keys=per-channel)",
        "h2o(budget=25%) | q4", "snapkv(budget=60) | kvcrush(share=25%) | q8",
        "h2o(budget=50%) | kvmerger(threshold=0.3) | minicache | q4",
        "rkv(budget=40%, allocate=pyramid)", "snapkv(budget=30%) | q4 | fit",
        "lowrank(keys=12) | q8", "zipcache", "tokenselect(top=50%)", "kcache(top=20)",
    ]

    @Test(arguments: plans) func compressingIsThatOfThePlan(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 2, tokens: 200, layers: 4)
        let driver = try SessionDriver(text, cache)
        try driver.feed(0..<200, chunk: 50)
        try driver.session.compress()
        let expected = try Plan(text).compress(cache), found = driver.session.snapshot()
        for layer in 0..<4 {
            let queries = cache.layers[layer].queries!.map { $0[190..<200] }
            #expect(
                try found.attend(queries, layer: layer) == expected.attend(queries, layer: layer),
                "\(text)")
        }
        var ledger = found.ledger
        ledger.components[.importance] = nil
        #expect(ledger.storedBytes == expected.ledger.storedBytes, "\(text)")
    }

    @Test(
        arguments: plans + [
            "h2o(budget=64) | kvmerger(budget=48) | q8", "streaming(budget=70)",
            "knorm(budget=16KiB) | q4", "kvmerger(threshold=0.5, recent=10, heavy=10)",
            "zipvl", "snapkv(budget=30%, allocate=adaptive)", "minicache(from=0%) | q8",
            "q4(window=100)", "h2o(budget=50%) | d2o | q8", "think(keep=50%)",
        ])
    func attendsOnWhatItHolds(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 3, tokens: 460, layers: 4)
        let driver = try SessionDriver(text, cache)
        try driver.feed(0..<90, chunk: 32)
        try driver.session.compress()
        let isChosen = text.contains("tokenselect") || text.contains("kcache")
        for token in 90..<460 {
            let outputs = try driver.feed(token..<token + 1)
            guard token % 37 == 0, !isChosen else { continue }
            #expect(try driver.worstError(token) < AttentionTests.contract, "\(text), \(token)")
            #expect(outputs.joined().joined().allSatisfy { $0.isFinite })
        }
        #expect(driver.session.tokens == 460)
    }

    @Test(arguments: [
        ("h2o(budget=64) | q4", 64), ("streaming(budget=100)", 100), ("rkv(budget=80) | q8", 80),
        ("snapkv(budget=64) | kvcrush(share=25%) | q4", 64),
        ("h2o(budget=96) | kvmerger(budget=64) | q8", 64),
    ])
    func entriesAreBounded(plan text: String, budget: Int) throws {
        let cache = try SessionDriver.cache(seed: 4, tokens: 900, layers: 1)
        let driver = try SessionDriver(text, cache)
        try driver.session.compress()
        var most = 0
        for first in stride(from: 0, to: 900, by: 9) {
            try driver.feed(first..<first + 9)
            most = max(most, driver.session.layers[0].cache.entries(0))
        }
        #expect(most > budget / 2 && most <= budget + 2 * 64, "\(text): \(most)")
    }

    @Test(arguments: [nil, 1, 10, 64] as [Int?])
    func heavyHittersAreThoseOfAllQueries(interval: Int?) throws {
        let cache = try SessionDriver.cache(seed: 5, tokens: 400, layers: 1)
        var options = SessionOptions()
        options.interval = interval
        let driver = try SessionDriver("h2o(budget=40) | f32", cache, options: options)
        try driver.session.compress()
        for token in 0..<400 { try driver.feed(token..<token + 1) }
        let kept = heavyHitters(cache, budget: 40, interval: interval ?? 64)
        for head in 0..<2 {
            let entries = driver.session.layers[0].settled.decoded(head)
            #expect(entries.positions.map(Int.init) == kept[head])
        }
    }

    @Test func encodedRowsAreThoseOfOneShot() throws {
        for text in [
            "q8", "q4(rotate=hadamard)", "q4(keys=per-channel, group=64)",
            "q4(keys=per-channel, group=128)", "f16",
        ] {
            let cache = try SessionDriver.cache(seed: 6, tokens: 4500, layers: 1, kvHeads: 1)
            let driver = try SessionDriver(text, cache)
            try driver.session.compress()
            for first in stride(from: 0, to: 4500, by: 50) {
                try driver.feed(first..<min(first + 50, 4500), chunk: 50)
            }
            let layer = driver.session.layers[0]
            // Small segments became large ones, and nothing else changed.
            #expect(layer.settled.heads[0].count <= 2 + 31, "\(text)")
            #expect(layer.settled.heads[0][0].count >= 2048, "\(text)")
            let expected = try Plan(text).compress(cache.prefix(layer.settledTokens))
                .entries(layer: 0, head: 0)
            let found = layer.settled.decoded(0)
            #expect((found.keys == expected.keys) == true, "\(text)")
            #expect((found.values == expected.values) == true, "\(text)")
            #expect(found.positions == expected.positions, "\(text)")
        }
    }

    @Test(arguments: ["q4", "h2o(budget=64) | q8", "minicache(from=0%) | q4"])
    func forksGoTheirOwnWays(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 7, tokens: 400),
            other =
                try SessionDriver.cache(seed: 8, tokens: 400)
        let driver = try SessionDriver(text, cache)
        try driver.feed(0..<130, chunk: 130)
        try driver.session.compress()
        try driver.feed(130..<150)
        let fork = driver.session.fork()
        let alone = try SessionDriver(text, cache)
        try alone.feed(0..<130, chunk: 130)
        try alone.session.compress()
        try alone.feed(130..<150)
        // The fork reads something else in between; neither notices.
        try SessionDriver(text, other).feed(150..<300, to: fork)
        #expect(try driver.feed(150..<400) == alone.feed(150..<400), "\(text)")
        #expect(fork.tokens == 300 && driver.session.tokens == 400)
    }

    @Test(arguments: [
        "f32", "q4(window=30)", "h2o(budget=64) | q4", "snapkv(budget=25%, allocate=adaptive) | q8",
        "h2o(budget=50%) | kvmerger(budget=48) | minicache | q4", "zipvl",
    ])
    func resumesWhereItWasSaved(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 14, tokens: 400, layers: 4)
        var options = SessionOptions()
        if text.hasPrefix("q4") { options.slidingWindows = [nil, 90, nil, 40] }
        let driver = try SessionDriver(text, cache, options: options)
        try driver.feed(0..<100, chunk: 100)
        try driver.session.compress()
        try driver.feed(100..<171)
        let archive = driver.session.snapshot().archive()
        // What the session does later is not in its snapshot.
        let expected = try driver.feed(171..<400)
        let resumed = try CacheSession(resuming: CompressedCache(archive: archive))
        #expect(resumed.tokens == 171)
        #expect(try driver.feed(171..<400, to: resumed) == expected, "\(text)")
        let first = driver.session.ledger, second = resumed.ledger
        #expect(first.storedBytes == second.storedBytes)
    }

    @Test func resumesAnyCompressedCache() throws {
        let cache = try SessionDriver.cache(seed: 15, tokens: 300)
        let compressed = try Plan("h2o(budget=64) | q8").compress(cache.prefix(150))
        let driver = try SessionDriver("h2o(budget=64) | q8", cache)
        let resumed = try CacheSession(resuming: compressed)
        for token in 150..<300 { try driver.feed(token..<token + 1, to: resumed) }
        #expect(resumed.tokens == 300)
        #expect(resumed.layers[0].cache.entries(0) < 64 + 64 + 1)
    }

    @Test func refusesSessionsThatCannotBe() throws {
        let cache = try SessionDriver.cache(seed: 16, tokens: 100)
        let driver = try SessionDriver("h2o(budget=40) | q8", cache)
        try driver.feed(0..<70, chunk: 70)
        try driver.session.compress()
        try driver.feed(70..<100)
        let good = driver.session.snapshot()
        let spoil: [(inout SavedSession<Storage>) -> Void] = [
            { $0.layers[0].newest = 29 }, { $0.layers[1].newest = -1 }, { $0.layers[1].newest = 0 },
            { $0.layers[0].newest = .max }, { $0.interval = 0 }, { $0.interval = -65 },
            { $0.slidingWindows = [1] }, { $0.slidingWindows = [-5, nil] },
            { $0.layers[0].queryCount = 1 << 40 }, { $0.layers[0].queryHeads = 3 },
            { $0.layers[0].queryCount = 0 }, { $0.layers[0].observed = -4 }, { $0.shares = [[1]] },
            { $0.layers[0].received = Storage(copying: [Float(1)]) },
            { $0.layers[0].received = Storage(copying: [Float](repeating: .nan, count: 90)) },
        ]
        for (number, spoil) in spoil.enumerated() {
            var bad = good
            spoil(&bad.session!)
            #expect(throws: CompressionError.self, "\(number)") {
                let resumed = try CacheSession(resuming: bad)
                for token in 0..<100 { try driver.feed(token..<token + 1, to: resumed) }
            }
        }
    }

    @Test func goesBackInsideItsWindow() throws {
        let cache = try SessionDriver.cache(seed: 9, tokens: 200),
            other =
                try SessionDriver.cache(seed: 10, tokens: 200)
        let driver = try SessionDriver("h2o(budget=50) | q4", cache)
        try driver.feed(0..<100, chunk: 100)
        try driver.session.compress()
        try driver.feed(100..<110)
        let straight = driver.session.fork()
        try SessionDriver("f32", other).feed(110..<140, to: driver.session)
        try driver.session.truncate(to: 110)
        #expect(driver.session.tokens == 110)
        #expect(
            try driver.feed(110..<200)
                == SessionDriver("f32", cache).feed(110..<200, to: straight))
        #expect(throws: CompressionError.self) { try driver.session.truncate(to: 5) }
        #expect(throws: CompressionError.self) { try driver.session.truncate(to: 201) }
    }

    @Test(arguments: ["f32", "q8", "h2o(budget=64) | q4"])
    func slidingWindowsSeeOnlyThemselves(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 11, tokens: 500, layers: 2)
        var options = SessionOptions()
        options.slidingWindows = [nil, 75]
        let driver = try SessionDriver(text, cache, options: options)
        try driver.feed(0..<100, chunk: 30)
        try driver.session.compress()
        for token in 100..<500 {
            let outputs = try driver.feed(token..<token + 1)
            guard token % 41 == 0 else { continue }
            var entries = driver.session.layers[1].cache.decoded(0)
            let first = entries.positions.firstIndex { $0 > Int32(token - 75) }!
            #expect(entries.positions[first...].count == 75)
            entries.keys.removeFirst(first * 32)
            entries.values.removeFirst(first * 32)
            entries.votes.removeFirst(first)
            entries.positions.removeFirst(first)
            let exact = AttentionReference(keyDim: 32).outputs(
                cache.layers[1].queries![0][token..<token + 1], over: entries)
            #expect(relativeError(outputs[1][0], exact) < AttentionTests.contract)
        }
        #expect(driver.session.layers[1].cache.entries(0) < 75 + 64 + 128)
    }

    @Test(arguments: ["q4", "h2o(budget=64) | q8", "kvmerger(budget=50)"])
    func everyByteIsCounted(plan text: String) throws {
        let cache = try SessionDriver.cache(seed: 12, tokens: 300)
        let allocator = Allocator()
        var options = SessionOptions()
        options.allocator = allocator
        let driver = try SessionDriver(text, cache, options: options)
        try driver.session.compress()
        for token in 0..<300 {
            try driver.feed(token..<token + 1)
            let ledger = driver.session.ledger
            // What attention received is in arrays of the language.
            #expect(
                ledger.residentBytes - (ledger.components[.importance] ?? 0) == allocator.heldBytes)
        }
        #expect(driver.session.ledger.components[.importance] != nil || text == "q4")
    }

    @Test func refusesWhatDoesNotFit() throws {
        let cache = try SessionDriver.cache(seed: 13, tokens: 20)
        func refused(_ code: CompressionError.Code, _ body: () throws -> Void) {
            let error = #expect(throws: CompressionError.self) { try body() }
            #expect(error?.code == code, "\(error?.description ?? "")")
        }
        let driver = try SessionDriver("q8", cache), session = driver.session
        let layer = cache.layers[0]
        refused(.layer) {
            try session.append(layer: 0, keys: [layer.keys[0]], values: layer.values)
        }
        refused(.layer) {
            try session.append(layer: 0, keys: layer.keys, values: layer.values.map { $0[0..<3] })
        }
        refused(.values) {
            let bad = Rows([Float](repeating: .nan, count: 32), dim: 32)
            try session.append(layer: 0, keys: [bad, bad], values: [bad, bad])
        }
        #expect(session.tokens == 0)
        try session.append(layer: 0, keys: layer.keys, values: layer.values)
        refused(.session) { try session.append(layer: 0, keys: layer.keys, values: layer.values) }
        refused(.session) { try session.compress() }
        refused(.layer) { _ = try session.attend(layer: 1, queries: cache.layers[1].queries!) }
        var options = SessionOptions()
        options.interval = 0
        refused(.session) { _ = try SessionDriver("q8", cache, options: options) }
        options.interval = 64
        options.slidingWindows = [3]
        refused(.session) { _ = try SessionDriver("q8", cache, options: options) }
    }
}
