import Testing

@testable import KVCompress

/// What a long life asks of a session: bounded memory, sessions side by side, positions that move.
@Suite struct SessionLifeTests {
    /// Feeds the same few rows again and again.
    private func live(
        _ plan: String, tokens: Int, every step: Int, _ look: (CacheSession, Int) throws -> Void
    ) throws {
        let cache = try SessionDriver.cache(seed: 21, tokens: 512, layers: 1, kvHeads: 1, dim: 16)
        let driver = try SessionDriver(plan, cache)
        try driver.session.compress()
        for token in 0..<tokens {
            try driver.feed(token % 512..<token % 512 + 1)
            if token % step == 0 { try look(driver.session, token) }
        }
        #expect(driver.session.tokens == tokens)
    }

    @Test func hundredThousandTokensStayWithinTheBudget() throws {
        var late = 0
        try live("h2o(budget=128) | q4", tokens: 100_000, every: 97) { session, token in
            let entries = session.layers[0].cache.entries(0)
            #expect(entries <= 128 + 64 + 1)
            // Encoded entries, positions, votes and attention received; f32 rows and queries since.
            let bound = 128 * (2 * (16 / 2 + 2) + 4 + 4) + 2 * 65 * 16 * 4 + 2 * 2 * 65 * 16 * 4
            #expect(session.ledger.residentBytes < 2 * bound)
            if token == 5044 { session.allocator.resetPeak() }
            late = session.allocator.peakBytes
        }
        #expect(late < 1 << 20, "scratch of compressing \(late)")
    }

    @Test(arguments: [
        "rkv(budget=96) | q8", "snapkv(budget=96) | kvcrush(share=25%) | q4",
        "h2o(budget=128) | kvmerger(budget=64) | q4", "knorm(budget=4KiB) | q4",
    ])
    func pagesGoBack(plan text: String) throws {
        var early = 0, late = 0
        try live(text, tokens: 6000, every: 1) { session, token in
            let bytes = session.allocator.heldBytes
            if token < 2000 { early = max(early, bytes) } else { late = max(late, bytes) }
        }
        #expect(early > 0 && late <= early + early / 8, "\(text): \(early), then \(late)")
    }

    @Test func sessionsRunSideBySide() throws {
        let workers = Workers(threads: 4)
        let caches = try (0..<4).map { try SessionDriver.cache(seed: 30 + $0, tokens: 260) }
        // Forks of one prefix, each with a continuation of its own.
        let prefix = try SessionDriver("h2o(budget=64) | q8", caches[0])
        try prefix.feed(0..<100, chunk: 100)
        try prefix.session.compress()
        @Sendable func outputs(_ index: Int, _ session: CacheSession) throws -> [[[Float]]] {
            try SessionDriver("f32", caches[index]).feed(100..<260, to: session)
        }
        let alone = try (0..<4).map { try outputs($0, prefix.session.fork()) }
        let forks = Forks((0..<4).map { _ in prefix.session.fork() })
        let together = workers.map(4) { index in
            Result { try outputs(index, forks.sessions[index]) }
        }
        for (index, result) in together.enumerated() { #expect(try result.get() == alone[index]) }
    }

    /// Each session is used by one thread alone.
    private struct Forks: @unchecked Sendable {
        let sessions: [CacheSession]
        init(_ sessions: [CacheSession]) { self.sessions = sessions }
    }

    @Test(arguments: ["f32", "q8", "h2o(budget=64) | q4"], [-90, 1000])
    func shiftedPositionsChangeNothing(plan text: String, distance: Int) throws {
        let rope = try RoPE(metadata: [
            "rope_theta": "1000", "rope_style": "interleaved", "rope_dims": "32",
        ])
        let cache = try SessionDriver.cache(seed: 40, tokens: 300, layers: 1)
        var options = SessionOptions()
        options.metadata = ["rope_theta": "1000", "rope_style": "interleaved", "rope_dims": "32"]
        let driver = try SessionDriver(text, cache, options: options)
        try driver.feed(0..<100, chunk: 100)
        try driver.session.compress()
        let straight = driver.session.fork()
        try driver.session.shift(by: distance)
        #expect(driver.session.position == 100 + distance)
        /// What a model that counts on from the new position would give.
        func turned(_ rows: Rows) -> Rows {
            var floats = rows.floats()
            Kernels.best.rope(
                &floats, dim: 32,
                positions: [UInt32](repeating: UInt32(abs(distance)), count: rows.count),
                frequencies: rope.frequencies(dim: 32), style: rope.style, inverse: distance < 0)
            return Rows(floats, dim: 32)
        }
        let layer = cache.layers[0]
        var moved = layer
        moved.keys = layer.keys.map(turned)
        moved.queries = layer.queries?.map(turned)
        let other = try SessionDriver("f32", Cache(layers: [moved]))
        let found = try other.feed(100..<300, to: driver.session)
        let expected = try driver.feed(100..<300, to: straight)
        for (a, b) in zip(found.joined().joined(), expected.joined().joined()) {
            #expect(abs(a - b) < 1e-3 * max(1, abs(b)))
        }
        let resumed = try CacheSession(
            resuming: CompressedCache(archive: driver.session.snapshot().archive()))
        #expect(resumed.position == 300 + distance)
        #expect(throws: CompressionError.self) { try driver.session.shift(by: -301 - distance) }
        #expect(throws: CompressionError.self) { try driver.session.shift(by: .max) }
    }

    @Test func shiftingNeedsToKnowHowKeysAreTurned() throws {
        let cache = try SessionDriver.cache(seed: 41, tokens: 10)
        let session = try SessionDriver("q8", cache).session
        #expect(throws: CompressionError.self) { try session.shift(by: 3) }
    }
}
