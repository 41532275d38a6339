import Testing

@testable import KVCompress

/// Stages compose: whatever stands beside what, attention is that over the exported entries, every byte is
/// in the ledger, and no head is emptied.
@Suite struct ComposeTests {
    /// Methods of each stage, in the order of stages.
    static let stages: [[String]] = [
        [
            "h2o(budget=40%)", "rms(budget=30%, allocate=entropy)", "zipvl",
            "streaming(budget=20%)",
            "snapkv(budget=50%) | kvcrush(precision=q4)",
        ],
        ["kvmerger(budget=60%)", "kvmerger(threshold=0.1, values=paper)"],
        ["minicache", "minicache(from=0%, rows=head)", "xkv(rank=24)"],
        ["lowrank(keys=12, values=20)", "lowrank(keys=10, rope=undo)", "think(keep=50%)"],
        [
            "q8", "q4(rotate=hadamard, window=9)", "q4(keys=per-channel, protect=1)", "q3",
            "q2(mode=asymmetric)", "turboquant(bits=3)", "turboquant(bits=4, rotate=qr)",
            "zipcache",
            "kv(keys=q8, values=q4)",
        ],
        ["fit", "fit(bias=off)"],
        ["kcache(top=1000000)", "tokenselect(top=100%)"],
    ]

    static let pairs: [String] = stages.indices.flatMap { first in
        stages.indices.dropFirst(first + 1).flatMap { second in
            stages[first].flatMap { a in stages[second].map { "\(a) | \($0)" } }
        }
    }

    /// Plans with more than two stages, and mergers of what an eviction drops.
    static let longer = [
        "h2o(budget=50%) | cam | q4", "h2o(budget=50%) | weightedkv | minicache",
        "snapkv(budget=50%) | d2o | think | q8", "rkv(budget=50%) | keepkv | q4 | fit",
        "h2o(budget=50%) | kvcrush(share=25%) | kvmerger(threshold=0.8) | minicache | q4(rotate=hadamard)",
        "h2o(budget=60%) | kvmerger(budget=40%) | minicache(from=0%) | lowrank(keys=20) | q4 | fit | kcache(top=1000000)",
    ]

    static let cache = RandomCache(
        seed: 77, layers: 4, kvHeads: 2, tokens: 150, keyDim: 32, valueDim: 24, queries: 40)

    @Test(arguments: pairs + longer) func composes(plan text: String) throws {
        let plan = try Plan(text)
        #expect(try Plan(plan.description) == plan)
        let cache = try Self.cache.make()
        let allocator = Allocator()
        let compressed = try plan.compress(
            cache, options: CompressionOptions(allocator: allocator))
        let ledger = compressed.ledger
        #expect(ledger.residentBytes == allocator.heldBytes, "\(text)")
        #expect(ledger.storedBytes <= ledger.residentBytes + ledger.mappedBytes, "\(text)")
        #expect(ledger.components.values.reduce(0, +) == compressed.report.storedBytes)
        for (index, layer) in cache.layers.enumerated() {
            let queries = try #require(layer.queries)
            let newest = queries.map { $0[$0.count - 1..<$0.count] }
            let error = try compressed.worstError(newest, layer: index)
            #expect(error < AttentionTests.contract, "\(text), layer \(index): \(error)")
            for head in layer.keys.indices {
                let entries = compressed.entries(layer: index, head: head)
                #expect(!entries.positions.isEmpty, "\(text)")
                #expect(zip(entries.positions, entries.positions.dropFirst()).allSatisfy(<))
                #expect(entries.votes.allSatisfy { $0 > 0 })
            }
        }
    }
}
