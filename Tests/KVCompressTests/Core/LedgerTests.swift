import Foundation
import Testing

@testable import KVCompress

/// Every byte is accounted for, and the report says what the ledger says.
@Suite struct LedgerTests {
    @Test(
        arguments: AttentionTests.plans + [
            "q4(protect=1)", "random(budget=50%, tokens=layer) | q8(window=10, protect=1)",
        ]
    )
    func countsAndReport(plan text: String) throws {
        for seed in 0..<12 {
            var shape = RandomCache.any(seed + 400)
            shape.layers = 1 + seed % 4
            let cache = try shape.make()
            let allocator = Allocator()
            let compressed = try Plan(text).compress(
                cache,
                options: CompressionOptions(allocator: allocator)
            )
            let ledger = compressed.ledger, report = compressed.report

            let expected = LedgerReference(compressed).components
            #expect(ledger.components.filter { $0.value > 0 } == expected, "\(text), \(shape)")
            #expect(ledger.storedBytes == expected.values.reduce(0, +))
            #expect(ledger.residentBytes == allocator.heldBytes, "\(text), \(shape)")
            #expect(ledger.residentBytes >= ledger.storedBytes)

            #expect(report.plan == compressed.plan.description && report.tokens == shape.tokens)
            #expect(
                report.storedBytes == ledger.storedBytes
                    && report.residentBytes == ledger.residentBytes
            )
            #expect(report.components.values.reduce(0, +) == report.storedBytes)
            let values =
                shape.layers * shape.kvHeads * shape.tokens * (shape.keyDim + shape.valueDim)
            #expect(report.f16Bytes == 2 * values && cache.f16Bytes == 2 * values)
            #expect(
                abs(report.ratio * Double(report.storedBytes) / Double(report.f16Bytes) - 1) < 1e-12
            )
            #expect(
                abs(report.bitsPerValue - 8 * Double(report.storedBytes) / Double(values)) < 1e-9
            )
            #expect(report.peakBytes >= report.residentBytes && report.seconds >= 0)

            let kept = (0..<shape.layers).map { layer in
                (0..<shape.kvHeads).map {
                    Double(compressed.entries(layer: layer, head: $0).positions.count)
                        / Double(shape.tokens)
                }
            }
            #expect(report.keptPerLayer.map(\.min) == kept.map { $0.min()! })
            #expect(report.keptPerLayer.map(\.max) == kept.map { $0.max()! })
            let mean = kept.joined().reduce(0, +) / Double(shape.layers * shape.kvHeads)
            #expect(abs(report.kept.mean - mean) < 1e-12)
            #expect(
                try JSONDecoder().decode(Report.self, from: JSONEncoder().encode(report)) == report
            )
        }
    }

    @Test func memoryGoesBack() throws {
        let allocator = Allocator()
        var compressed: CompressedCache? = try Plan("h2o(budget=50%) | q4(keys=per-channel)")
            .compress(
                RandomCache(seed: 1, queries: 20).make(),
                options: CompressionOptions(allocator: allocator)
            )
        #expect(allocator.heldBytes == compressed?.ledger.residentBytes)
        compressed = nil
        #expect(allocator.heldBytes == 0 && allocator.peakBytes > 0)
    }

    static let formatBits: [(plan: String, bits: Double)] = [
        ("f32", 32), ("f16", 16), ("bf16", 16), ("q8", 8.5), ("q4", 4.5),
        ("q3", 3.5), ("q2", 2.5), ("q3(group=128)", 3.125), ("q2(mode=asymmetric, group=64)", 2.5),
        ("turboquant", 4.125), ("turboquant(bits=3)", 3.125),
        ("kv(keys=turboquant(bits=2), values=q4)", 3.3125), ("q8(mode=asymmetric)", 9),
        ("q4(mode=asymmetric)", 5),
        ("q8(group=64)", 8.25), ("q4(group=128)", 4.125), ("q8(keys=per-channel)", 8.5),
        ("q4(rotate=hadamard)", 4.5),
        ("q4(keys=per-channel, values=per-channel, mode=asymmetric)", 5),
        ("kv(keys=q8, values=q4)", 6.5),
        ("q4(window=64)", 4.5 + 11.5 / 2), ("q4(protect=1)", 4.5 + 11.5 / 2),
        ("random(budget=50%, tokens=layer)", 8 + 8.0 / 256),
    ]

    /// Bits per value are those of the formats.
    @Test(arguments: formatBits) func bitsPerValue(plan text: String, bits: Double) throws {
        let shape = RandomCache(
            seed: 9,
            layers: 4,
            kvHeads: 2,
            tokens: 128,
            keyDim: 128,
            valueDim: 128
        )
        let report = try Plan(text).compress(shape.make()).report
        #expect(report.bitsPerValue == bits, "\(text)")
        #expect(abs(report.ratio - 16 / bits) < 1e-12)
    }

    /// A budget in bytes is never exceeded, and used up but for what one more token per head would take.
    @Test(arguments: [
        "", " | q8", " | q4(window=8)", " | q4(keys=per-channel)",
        " | kv(keys=q4(axis=per-channel, group=64), values=f32)", " | zipcache",
        " | zipcache(salient=25%, group=64, window=9)", " | turboquant(rotate=qr)",
    ])
    func byteBudgets(encode: String) throws {
        for seed in 0..<16 {
            var random = Seeded(seed)
            var shape = RandomCache.any(seed + 500, tokens: 20...300)
            shape.queries = 16
            let cache = try shape.make()
            let full = try Plan(encode.isEmpty ? "f16" : String(encode.dropFirst(3))).compress(
                cache
            ).report.storedBytes
            for method in ["knorm", "random", "snapkv", "streaming"] {
                let allocate = random.pick(["uniform", "pyramid", "adaptive"])
                let select = random.pick(["top", "pages(4)", "chunks(3)"])
                let limit = random.int(1...full + 100)
                let text =
                    "\(method)(budget=\(limit)B, allocate=\(allocate), select=\(select))\(encode)"
                do {
                    let compressed = try Plan(text).compress(cache)
                    #expect(compressed.report.storedBytes <= limit, "\(text), \(shape)")
                    if limit >= full {
                        #expect(compressed.report.kept.min == 1, "\(text), \(shape)")
                    }
                } catch {
                    #expect(
                        error.code == .plan && error.description.contains("too small"),
                        "\(error)"
                    )
                    #expect(limit < full, "\(text), \(shape): \(error)")
                }
            }
        }
    }

    /// Positions that heads share are stored once, and a budget in bytes counts them once.
    @Test(arguments: [
        ", tokens=layer) | q4", ") | kvcrush | q4(keys=per-channel)",
        ", sinks=\(Int.max)) | kvcrush",
    ])
    func sharedPositionsAreCountedOnce(rest: String) throws {
        let cache = try RandomCache(seed: 6, layers: 2, kvHeads: 4, tokens: 200).make()
        let report = try Plan("knorm(budget=30000B\(rest)").compress(cache).report
        let perToken = report.storedBytes / Int(report.kept.mean * 200)
        #expect(report.storedBytes <= 30000 && report.storedBytes + 3 * perToken > 30000, "\(rest)")
    }

    @Test func byteBudgetIsUsedUp() throws {
        let shape = RandomCache(seed: 4, layers: 2, kvHeads: 2, tokens: 200)
        let cache = try shape.make()
        let perToken = 4 * (32 + 32) * 2 + 4 * 4
        for limit in stride(from: 5000, to: 90_000, by: 7777) {
            let stored = try Plan("knorm(budget=\(limit)B)").compress(cache).report.storedBytes
            #expect(stored <= limit && stored > limit - perToken)
        }
    }
}
