import Testing

@testable import KVCompress

/// Steps in blocks of rows: the bits of other steps, and no memory.
@Suite struct StepTests {
    private static let plans = [
        "f32", "q8", "q4(rotate=hadamard)", "q4(keys=per-channel, window=32)",
        "keydiff(budget=50%) | q4", "h2o(budget=64) | q4",
    ]

    /// Rows of some tokens in one piece of memory.
    private struct Block {
        let storage: Storage
        let rows: RowBlock

        init(_ heads: [Rows], _ tokens: Range<Int>, _ format: ElementFormat, tokensFirst: Bool) {
            let heads = heads.map { $0[tokens] }, dim = heads[0].dim
            let singles =
                tokensFirst
                ? tokens.indices.flatMap { token in
                    heads.map { $0[token - tokens.lowerBound..<token - tokens.lowerBound + 1] }
                } : heads
            let floats = singles.flatMap { $0.floats() }
            storage = Storage(byteCount: floats.count * format.byteCount) {
                Kernels.best.convert(
                    floats, count: floats.count, to: format, at: $0.baseAddress!)
            }
            rows = RowBlock(
                unsafe: storage.bytes.baseAddress!, format: format, heads: heads.count,
                tokens: tokens.count, dim: dim, tokensFirst: tokensFirst)
        }
    }

    /// A layer's step; outputs as they lie.
    private func step(
        _ session: CacheSession, _ cache: Cache, _ index: Int, _ tokens: Range<Int>,
        _ format: ElementFormat = .f32, tokensFirst: Bool = false,
        around body: (() throws -> Void) throws -> Void = { try $0() }
    ) throws -> [Float] {
        let layer = cache.layers[index]
        let queries = Block(
            try #require(layer.queries), tokens, format, tokensFirst: tokensFirst)
        let keys = Block(layer.keys, tokens, format, tokensFirst: tokensFirst)
        let values = Block(layer.values, tokens, format, tokensFirst: tokensFirst)
        var outputs = [Float](
            repeating: .nan, count: queries.rows.heads * tokens.count * layer.values[0].dim)
        try outputs.withUnsafeMutableBufferPointer { outputs in
            try body {
                try session.append(layer: index, keys: keys.rows, values: values.rows)
                try session.attend(layer: index, queries: queries.rows, into: outputs)
            }
        }
        withExtendedLifetime((queries, keys, values)) {}
        return outputs
    }

    @Test(arguments: plans, [false, true]) func blocksGiveTheBitsOfRows(
        plan text: String, tokensFirst: Bool
    ) throws {
        let cache = try SessionDriver.cache(seed: 50, tokens: 300)
        let driver = try SessionDriver(text, cache)
        let other = try CacheSession(plan: Plan(text), geometry: cache.layers.map(\.geometry))
        for (number, range) in [0..<170, 170..<171, 171..<200, 200..<201, 201..<300].enumerated() {
            let expected = try driver.feed(range, chunk: range.count)
            for layer in cache.layers.indices {
                let found = try step(other, cache, layer, range, tokensFirst: tokensFirst)
                let rows = expected[layer].map { Rows($0, dim: 32) }
                let block = Block(rows, 0..<range.count, .f32, tokensFirst: tokensFirst)
                #expect(found.bits == block.rows.head(0).base.floats(found.count).bits, "\(range)")
                withExtendedLifetime(block) {}
            }
            if number == 0 {
                try driver.session.compress()
                try other.compress()
            }
        }
    }

    /// Halves are turned to f32 on the way in.
    @Test func blocksOfHalves() throws {
        let cache = try SessionDriver.cache(seed: 51, tokens: 40)
        let halves = try Cache(
            layers: cache.layers.map { layer in
                func rounded(_ heads: [Rows]) -> [Rows] {
                    heads.map { Rows(Kernels.best.rounded($0.floats()), dim: $0.dim) }
                }
                return CacheLayer(
                    keys: rounded(layer.keys), values: rounded(layer.values),
                    queries: layer.queries.map(rounded))
            })
        func outputs(_ cache: Cache, _ format: ElementFormat) throws -> [Float] {
            let session = try CacheSession(
                plan: Plan("q8"), geometry: cache.layers.map(\.geometry))
            return try step(session, cache, 0, 0..<40, format)
        }
        #expect(try outputs(cache, .f16).bits == outputs(halves, .f32).bits)
    }

    /// Between two compressions nothing is asked of the allocator.
    @Test(arguments: plans, [1, 3]) func allocatesNothing(plan text: String, threads: Int) throws {
        let cache = try SessionDriver.cache(seed: 52, tokens: 300)
        var options = SessionOptions()
        options.workers = Workers(threads: threads)
        options.interval = 64
        let session = try CacheSession(
            plan: Plan(text), geometry: cache.layers.map(\.geometry), options: options)
        for layer in cache.layers.indices { _ = try step(session, cache, layer, 0..<200) }
        try session.compress()
        for token in 200..<240 {
            for layer in cache.layers.indices {
                _ = try step(session, cache, layer, token..<token + 1) { step in
                    let before = session.allocator.heldBytes
                    session.allocator.resetPeak()
                    try step()
                    // The first steps make room for those that follow.
                    if token < 202 { return }
                    #expect(session.allocator.heldBytes == before, "token \(token)")
                    #expect(session.allocator.peakBytes == before, "token \(token)")
                }
            }
        }
    }

    /// What the session is asked in one layout does not change what it is in another.
    @Test func refusesBlocksThatDoNotFit() throws {
        let cache = try SessionDriver.cache(seed: 53, tokens: 20)
        let session = try SessionDriver("q8", cache).session
        let layer = cache.layers[0]
        let rows = Block(layer.keys, 0..<20, .f32, tokensFirst: false)
        let fewer = Block(layer.values, 0..<19, .f32, tokensFirst: false)
        #expect(throws: CompressionError.self) {
            try session.append(layer: 0, keys: rows.rows, values: fewer.rows)
        }
        #expect(session.tokens == 0)
        withExtendedLifetime((rows, fewer)) {}
    }
}

extension UnsafeRawPointer {
    fileprivate func floats(_ count: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: assumingMemoryBound(to: Float.self), count: count))
    }
}
