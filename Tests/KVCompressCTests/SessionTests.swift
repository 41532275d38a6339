import CKVCompress
import Foundation
import KVCompress
import KVCompressC
import Testing

/// The C functions against the session that they stand before.
struct SessionTests {
    static let plans = [
        "f32", "q4(window=30)", "h2o(budget=64) | q8", "snapkv(budget=50%) | kvcrush",
    ]

    @Test(arguments: plans, [false, true])
    func givesTheSessionsBits(plan: String, tokensFirst: Bool) throws {
        let recording = Recording(seed: 1, tokens: 300)
        let expected = try CacheSession(plan: Plan(plan), geometry: Recording.geometry)
        let found = try Handle(plan) {
            $0.layout = tokensFirst ? kvc_layout_tokens_first : kvc_layout_heads_first
        }
        for piece in [0..<70, 70..<150] {
            #expect(try recording.feed(found, piece) == recording.feed(expected, piece))
        }
        try expected.compress()
        try found.compress()
        for token in 150..<300 {
            let piece = token..<token + 1
            #expect(try recording.feed(found, piece) == recording.feed(expected, piece))
        }
        let statistics = try found.statistics, ledger = expected.ledger
        #expect(statistics.layers == Recording.layers)
        #expect(statistics.tokens == 300)
        #expect(statistics.stored_bytes == ledger.storedBytes)
        #expect(statistics.resident_bytes == ledger.residentBytes)
        #expect(statistics.mapped_bytes == ledger.mappedBytes)
        #expect(statistics.f16_bytes == 2 * 300 * 2 * (32 + 16) * 2)
        #expect(statistics.ratio == Double(statistics.f16_bytes) / Double(ledger.storedBytes))
    }

    @Test func worksAsTheOptionsSay() throws {
        let recording = Recording(seed: 2, tokens: 260)
        var options = SessionOptions(), attention = AttentionOptions()
        options.interval = 128
        options.observe = 16
        options.slidingWindows = [nil, 40]
        options.metadata = ["rope_theta": "500", "rope_style": "split-half"]
        (attention.scale, attention.softcap) = (0.5, 3)
        let plan = "h2o(budget=64) | lowrank(keys=16, rope=undo) | q8"
        let expected = try CacheSession(
            plan: Plan(plan), geometry: Recording.geometry, options: options)
        let found = try withMetadata(options.metadata) { pairs in
            try [0, 40].withUnsafeBufferPointer { windows in
                try Handle(plan) {
                    ($0.interval, $0.observe, $0.threads) = (128, 16, 2)
                    ($0.scale, $0.softcap) = (0.5, 3)
                    ($0.metadata, $0.metadata_count) = (pairs.baseAddress, pairs.count)
                    $0.sliding_windows = windows.baseAddress
                    $0.sliding_window_count = windows.count
                }
            }
        }
        #expect(
            try recording.feed(found, 0..<100)
                == recording.feed(expected, 0..<100, attention: attention))
        try expected.compress()
        try found.compress()
        for token in 100..<260 {
            let piece = token..<token + 1
            #expect(
                try recording.feed(found, piece)
                    == recording.feed(expected, piece, attention: attention))
        }
    }

    @Test(arguments: plans, [false, true])
    func goesOnFromAFile(plan: String, tokensFirst: Bool) throws {
        let recording = Recording(seed: 3, tokens: 260), scratch = try Scratch()
        let straight = try Handle(plan) {
            $0.layout = tokensFirst ? kvc_layout_tokens_first : kvc_layout_heads_first
        }
        _ = try recording.feed(straight, 0..<130)
        try straight.compress()
        _ = try recording.feed(straight, 130..<140)
        try straight.does { kvc_session_save(straight.pointer, scratch["a.kvc"].path, $0) }
        let loaded = try Handle(loading: scratch["a.kvc"], tokensFirst: tokensFirst)
        for token in 140..<260 {
            let piece = token..<token + 1
            #expect(try recording.feed(loaded, piece) == recording.feed(straight, piece))
        }
        var shape = kvc_geometry()
        try loaded.does { kvc_session_geometry(loaded.pointer, 1, &shape, $0) }
        #expect(shape.kv_heads == 2 && shape.key_dim == 32 && shape.value_dim == 16)
        #expect(try loaded.statistics.tokens == 260)
    }

    @Test func forksAndGoesBack() throws {
        let recording = Recording(seed: 4, tokens: 200)
        let session = try Handle("h2o(budget=64) | q4")
        _ = try recording.feed(session, 0..<100)
        try session.compress()
        _ = try recording.feed(session, 100..<110)
        let straight = try session.fork()
        _ = try Recording(seed: 5, tokens: 30).feed(session, 0..<30)
        try session.does { kvc_session_truncate(session.pointer, 110, $0) }
        #expect(try session.statistics.tokens == 110)
        let piece = 110..<200
        #expect(try recording.feed(session, piece) == recording.feed(straight, piece))
    }

    @Test func outputsMayLieWhereQueriesDo() throws {
        let recording = Recording(seed: 6, tokens: 10)
        let session = try Handle("q8")
        let expected = try recording.feed(session, 0..<10)
        var both = session.block(recording.queries[1], 0..<10, Recording.keyDim)
        let status = both.withUnsafeMutableBufferPointer { memory in
            kvc_session_attend(
                session.pointer, 1, 10, Recording.queryHeads, memory.baseAddress,
                memory.baseAddress, nil)
        }
        #expect(status == kvc_ok)
        let found = session.heads(
            Array(both.prefix(Recording.queryHeads * 10 * Recording.valueDim)),
            count: Recording.queryHeads, Recording.valueDim)
        #expect(found == expected[1])
    }

    @Test func sessionsAndForksRunAtOnce() async throws {
        let recording = Recording(seed: 7, tokens: 160)
        let prefix = try Handle("h2o(budget=40) | q4") { $0.threads = 2 }
        _ = try recording.feed(prefix, 0..<90)
        try prefix.compress()
        let forks = try (0..<4).map { _ in Moved(session: try prefix.fork()) }
        let outputs = try await withThrowingTaskGroup(of: [[[[Float]]]].self) { group in
            for fork in forks {
                group.addTask {
                    try (90..<160).map { try recording.feed(fork.session, $0..<$0 + 1) }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outputs.count == 4 && outputs.allSatisfy { $0 == outputs[0] })
    }

    @Test func saysItsRelease() { #expect(String(cString: kvc_version()) == KVC_VERSION) }
}

/// A session that one other thread uses.
private struct Moved: @unchecked Sendable { let session: Handle }

/// Names and values as C has them, for as long as `body` runs.
private func withMetadata<Result>(
    _ metadata: [String: String], _ body: (UnsafeBufferPointer<kvc_metadata>) throws -> Result
) rethrows -> Result {
    let pairs = metadata.map { kvc_metadata(name: strdup($0.key), value: strdup($0.value)) }
    defer {
        for pair in pairs {
            Foundation.free(UnsafeMutablePointer(mutating: pair.name))
            Foundation.free(UnsafeMutablePointer(mutating: pair.value))
        }
    }
    return try pairs.withUnsafeBufferPointer(body)
}
