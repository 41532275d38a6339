import Foundation
import Testing

@testable import KVCompress

/// What compressing promises for any cache, and what it refuses.
@Suite struct CompressTests {
    static let methods = SelectionTests.methods

    /// Tiny caches, tiny and huge budgets: every head keeps at least one token, positions are a subset.
    @Test(arguments: methods) func neverEmpty(method: String) throws {
        for seed in 0..<40 {
            var random = Seeded(seed)
            var shape = RandomCache.any(seed + 700, tokens: 1...(seed % 2 == 0 ? 5 : 70))
            shape.queries = random.int(1...shape.tokens)
            let allocate = random.pick(Registry.allocations.map { $0.identity.name })
            let budget = random.pick([
                "1", "2", "7", "64", "100000", "0.0001%", "1%", "50%", "100%", "1GiB",
            ])
            let select = random.pick(["top", "pages(4)", "chunks(8)", "pages(64)"])
            let crush =
                allocate != "adaptive" && allocate != "rank" && random.int(0...2) == 0
                ? " | kvcrush" : ""
            let sinks = random.pick(["0", "4", "9223372036854775807"]),
                recent = random.pick(["0", "3", "50%", "9223372036854775807"])
            let text =
                "\(method)(budget=\(budget), allocate=\(allocate), select=\(select), sinks=\(sinks), recent=\(recent))"
                + crush
                + random.pick([
                    "", " | q4", " | q8(keys=per-channel, window=3)",
                    " | q4(window=9223372036854775807)",
                ])
            let compressed = try Plan(text).compress(try shape.make())
            let whole = ["100000", "100%", "1GiB"].contains(budget)
            for layer in 0..<shape.layers {
                for head in 0..<shape.kvHeads {
                    let positions = compressed.entries(layer: layer, head: head).positions
                    #expect(
                        !positions.isEmpty && (!whole || positions.count == shape.tokens),
                        "\(text), \(shape)"
                    )
                    #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 })
                    #expect(positions[0] >= 0 && positions.last! < shape.tokens)
                }
            }
            if whole { #expect(compressed.report.kept.min == 1) }
            #expect(
                try compressed.attend(shape.makeQueries(1), layer: 0).joined().allSatisfy {
                    $0.isFinite
                },
                "\(text), \(shape)"
            )
        }
    }

    /// What is kept is what was there: keys, values and positions of one token stay together.
    @Test(arguments: methods) func entriesAreTheCaches(method: String) throws {
        for seed in 0..<8 {
            var shape = RandomCache.any(seed + 800, tokens: 5...200)
            shape.queries = (shape.tokens + 1) / 2
            let cache = try shape.make()
            let compressed = try Plan("\(method)(budget=40%) | f32").compress(cache)
            for head in 0..<shape.kvHeads {
                let entries = compressed.entries(layer: 0, head: head)
                let tokens = entries.positions.map(Int.init)
                #expect(tokens.count <= (2 * 40 * shape.tokens + 100) / 200, "\(shape)")
                #expect(
                    entries.keys.bits == tokens.flatMap { cache.layers[0].keys[head].row($0).bits }
                )
                #expect(
                    entries.values.bits
                        == tokens.flatMap { cache.layers[0].values[head].row($0).bits }
                )
                #expect(entries.votes == tokens.map { _ in 1 })
            }
        }
    }

    /// Layers of different shapes, and rows that lie apart in their storage.
    @Test func unevenLayersAndStrides() throws {
        func spread(_ rows: Rows, by stride: Int) -> Rows {
            var floats = [Float](repeating: .nan, count: rows.count * stride)
            for row in 0..<rows.count {
                floats.replaceSubrange(row * stride..<row * stride + rows.dim, with: rows.row(row))
            }
            return Rows(
                storage: Storage(copying: floats),
                byteOffset: 0,
                format: .f32,
                count: rows.count,
                dim: rows.dim,
                stride: stride
            )
        }
        let shapes = [(1, 8, 16), (3, 40, 33), (2, 7, 128)].enumerated().map { index, s in
            RandomCache(
                seed: index,
                kvHeads: s.0,
                group: index + 1,
                tokens: 90,
                keyDim: s.1,
                valueDim: s.2
            )
        }
        let packed = try shapes.map { try $0.make().layers[0] }
        let apart = packed.map { layer in
            CacheLayer(
                keys: layer.keys.map { spread($0, by: $0.dim + 5) },
                values: layer.values.map { spread($0, by: $0.dim + 1) }
            )
        }
        for text in AttentionTests.plans {
            let a = try Plan(text).compress(Cache(layers: packed)),
                b = try Plan(text).compress(Cache(layers: apart))
            for (layer, shape) in shapes.enumerated() {
                let x = try a.attend(shape.makeQueries(2), layer: layer),
                    y = try b.attend(shape.makeQueries(2), layer: layer)
                #expect(x.map(\.bits) == y.map(\.bits), "\(text), layer \(layer)")
            }
            #expect(a.report.storedBytes == b.report.storedBytes)
        }
        // A full cache is attended on where it lies.
        let queries = shapes[1].makeQueries(3)
        let x = try LayerCache(viewing: packed[1]).attend(
            queries,
            options: .init(),
            allocator: Allocator()
        )
        let y = try LayerCache(viewing: apart[1]).attend(
            queries,
            options: .init(),
            allocator: Allocator()
        )
        #expect(x.map(\.bits) == y.map(\.bits))
    }

    // MARK: Refusals

    private func refusal(
        _ code: CompressionError.Code,
        _ words: [String],
        _ body: () throws -> Void
    ) {
        let error = #expect(throws: CompressionError.self) { try body() }
        #expect(error?.code == code)
        for word in words {
            #expect(
                error?.description.contains(word) == true,
                "'\(word)' in: \(error?.description ?? "")"
            )
        }
        #expect(error?.description.contains("\n") == false)
    }

    /// The first number that is not finite, or too large for f16, is named by layer, head and token.
    @Test(arguments: [Float.nan, .infinity, -.infinity, 70000, -70000]) func badNumbers(
        number: Float
    ) throws {
        for seed in 0..<20 {
            var random = Seeded(seed)
            let layer = random.int(0...1), head = random.int(0...2), token = random.int(0...49),
                place = random.int(0...6)
            let name = random.pick(["key", "value", "query"])
            let shape = RandomCache(
                seed: seed,
                layers: 2,
                kvHeads: 3,
                group: 1,
                tokens: 50,
                keyDim: 7,
                valueDim: 7,
                queries: 50
            )
            var layers = try shape.make().layers
            func spoiled(_ rows: Rows) -> Rows {
                var floats = rows.floats()
                floats[token * 7 + place] = number
                return Rows(floats, dim: 7)
            }
            switch name {
            case "key": layers[layer].keys[head] = spoiled(layers[layer].keys[head])
            case "value": layers[layer].values[head] = spoiled(layers[layer].values[head])
            default: layers[layer].queries![head] = spoiled(layers[layer].queries![head])
            }
            let cache = try Cache(layers: layers)
            let words = ["layer \(layer)", "\(name) head \(head)", "token \(token)"]
            let isLarge = number.isFinite
            if isLarge && name == "query" {
                _ = try Plan("q8").compress(cache)
            } else {
                for text in [
                    "f16", "q8", "q4(rotate=hadamard)", "streaming(budget=50%)",
                    "kv(keys=f32, values=f32, window=60)",
                ] {
                    refusal(.values, words) { _ = try Plan(text).compress(cache) }
                }
            }
            for text in ["f32", "bf16"] {
                if isLarge {
                    let kept = try Plan(text).compress(cache)
                    #expect(kept.entries(layer: layer, head: head).keys.allSatisfy { $0.isFinite })
                } else {
                    refusal(.values, words) { _ = try Plan(text).compress(cache) }
                }
            }
        }
    }

    @Test func shapesThatAreNoCache() throws {
        let row = Rows([1, 2], dim: 2), two = Rows([1, 2, 3, 4], dim: 2),
            wide = Rows([1, 2, 3], dim: 3), none = Rows([], dim: 2)
        func refused(_ layers: [CacheLayer], _ words: String...) {
            refusal(.cache, words) { _ = try Cache(layers: layers) }
        }
        refused([], "empty")
        refused([CacheLayer(keys: [], values: [])], "empty")
        refused([CacheLayer(keys: [none], values: [none])], "empty", "0 tokens")
        refused([CacheLayer(keys: [row], values: [])], "layer 0", "1 heads of keys but 0 of values")
        refused(
            [CacheLayer(keys: [row], values: [row]), CacheLayer(keys: [], values: [])],
            "layer 1",
            "no kv heads"
        )
        refused(
            [CacheLayer(keys: [row], values: [row]), CacheLayer(keys: [two], values: [two])],
            "layer 1",
            "2 tokens"
        )
        refused(
            [CacheLayer(keys: [row, wide], values: [row, row])],
            "key of head 1",
            "head dim 3"
        )
        refused([CacheLayer(keys: [row], values: [two])], "value of head 0 has 2 tokens")
        let huge = Rows([Float](repeating: 0, count: 1025), dim: 1025)
        refused([CacheLayer(keys: [huge], values: [row])], "head dim 1025")
        refused(
            [CacheLayer(keys: [row, row], values: [row, row], queries: [row])],
            "1 query heads are no multiple of 2"
        )
        refused([CacheLayer(keys: [row], values: [row], queries: [])], "0 query heads")
        refused(
            [CacheLayer(keys: [row], values: [row], queries: [Rows](repeating: row, count: 17))],
            "at most 16"
        )
        refused(
            [CacheLayer(keys: [row], values: [row], queries: [wide])],
            "query head 0 has head dim 3"
        )
        refused([CacheLayer(keys: [row], values: [row], queries: [two])], "query head 0 has 2 rows")
    }

    @Test func missingQueriesAreNamed() throws {
        let cache = try RandomCache(seed: 1).make()
        for method in ["h2o", "snapkv", "tova"] {
            refusal(.queries, [method, "layer 0", "knorm"]) {
                _ = try Plan("\(method)(budget=50%)").compress(cache)
            }
        }
    }
}
