import Foundation
import Testing

@testable import KVCompress

/// ZipCache against its definition: who is salient, and how far numbers may be off.
@Suite struct ZipCacheTests {
    private static func observation(_ cache: Cache) -> Observation {
        Observation(cache: cache, kernels: .best, workers: .caller, allocator: Allocator())
    }

    private static func zipcache(_ text: String) throws -> ZipCache {
        try #require(try Plan(text).encode?.zipcache)
    }

    @Test(arguments: [1, 63, 300, 640, 1000, 20_000]) func probes(count: Int) {
        let probes = Probe(seed: 3).queries(of: count)
        #expect(zip(probes, probes.dropFirst()).allSatisfy(<) && probes[0] >= 0)
        let each = (count + 10) / 20
        if 2 * each < 64 {
            #expect(probes == Array(0..<count))
        } else {
            #expect(probes.count == 2 * each)
            #expect(Array(probes.suffix(each)) == Array(count - each..<count))
            #expect(probes != Probe(seed: 4).queries(of: count))
        }
    }

    @Test(arguments: [(40, 12), (700, 700)]) func salience(tokens: Int, queries: Int) throws {
        var shape = RandomCache(seed: 6, tokens: tokens, keyDim: 16, valueDim: 8)
        shape.queries = queries
        let cache = try shape.make()
        let observation = Self.observation(cache), probe = Probe(seed: 1)
        for head in 0..<2 {
            let found = observation.attention(probe, layer: 0, head: head)
            let expected = ZipCacheReference.salience(
                cache.layers[0], head: head, probes: probe.queries(of: queries))
            for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 1e-5 * (b + 1e-3)) }
        }
    }

    /// The most salient entries, so many as the share says, outside the window.
    @Test(arguments: Dump.allCases) func classesFollowSalience(dump: Dump) throws {
        let cache = try dump.cache()
        let zipcache = try Self.zipcache("zipcache(salient=30%)")
        for layer in [0, cache.layers.count - 1] {
            let kept = (0..<UInt32(cache.tokens)).filter { $0 % 3 != 1 }
            let draft = HeadDraft(
                keeping: kept, keys: cache.layers[layer].keys[0],
                values: cache.layers[layer].values[0])
            let classes = zipcache.classes(
                of: draft, window: 10, layer: layer, head: 0,
                observation: Self.observation(cache))
            let coded = kept.count - 10
            let salient = (0..<coded).filter { classes[$0] == 0 }
            #expect(salient.count == zipcache.salient.of(coded) && classes.count == kept.count)
            let count = cache.layers[layer].queries![0].count
            let received = ZipCacheReference.salience(
                cache.layers[layer], head: 0, probes: Probe().queries(of: count))
            let least = salient.map { received[Int(kept[$0])] }.min()!
            for entry in 0..<coded where classes[entry] == 1 {
                #expect(received[Int(kept[entry])] <= least * (1 + 1e-4))
            }
        }
    }

    /// Half a step of the class's own format, values in balanced channels; a tail of keys is exact.
    @Test(arguments: [
        "zipcache", "zipcache(salient=25%, bits=8, others=3, group=64)", "zipcache(salient=100%)",
        "zipcache(salient=0%, window=7)",
    ])
    func errorsOfBothClasses(plan text: String) throws {
        var shape = RandomCache(seed: 7, tokens: 210, keyDim: 40, valueDim: 33, format: .f16)
        shape.queries = 20
        let cache = try shape.make()
        let plan = try Plan(text), encode = try #require(plan.encode)
        let zipcache = try #require(encode.zipcache)
        let compressed = try plan.compress(cache)
        for head in 0..<shape.kvHeads {
            let keys = cache.layers[0].keys[head], values = cache.layers[0].values[head]
            let classes = zipcache.classes(
                of: HeadDraft(keeping: Array(0..<210), keys: keys, values: values),
                window: encode.window, layer: 0, head: head, observation: Self.observation(cache))
            let entries = compressed.entries(layer: 0, head: head)
            let coded = 210 - encode.window
            let factors = (0..<33).map { channel in
                HalfReference.round(
                    (0..<coded).map { abs(Double(values.row($0)[channel])) }.max()!.squareRoot())
            }
            func row(_ floats: [Float], _ index: Int, _ dim: Int) -> [Double] {
                floats[index * dim..<(index + 1) * dim].map(Double.init)
            }
            for index in 0..<2 {
                let members = (0..<coded).filter { Int(classes[$0]) == index }
                let format = index == 0 ? zipcache.bits : zipcache.others
                let reference = QuantizerReference(bits: format.codeBits!, asymmetric: true)
                let whole = members.count - members.count % zipcache.group
                let exactKeys = members.map { keys.row($0).map(Double.init) }
                if whole > 0 {
                    let steps = reference.steps(
                        Array(exactKeys[..<whole]), group: zipcache.group, perChannel: true)
                    for (place, member) in members[..<whole].enumerated() {
                        let found = row(entries.keys, member, 40)
                        for c in 0..<40 {
                            let error = abs(found[c] - exactKeys[place][c])
                            #expect(error <= steps[place][c] / 2 * 1.0001 + 1e-5)
                        }
                    }
                }
                for member in members[whole...] {
                    #expect(row(entries.keys, member, 40) == keys.row(member).map(Double.init))
                }
                for member in members {
                    let exact = zip(values.row(member), factors).map { Double($0) / $1 }
                    let step = reference.step(exact)
                    for (c, found) in row(entries.values, member, 33).enumerated() {
                        let error = abs(found / factors[c] - exact[c])
                        #expect(error <= step / 2 * 1.0001 + 1e-5)
                    }
                }
            }
        }
    }

    /// Every class counts its codes, groups and tail; every value channel its factor.
    @Test func ledger() throws {
        var shape = RandomCache(
            seed: 8, layers: 2, kvHeads: 3, tokens: 300, keyDim: 32, valueDim: 64, format: .f16)
        shape.queries = 10
        let ledger = try Plan("zipcache(salient=50%, window=20)").compress(shape.make()).ledger
        // 140 salient entries and 140 others: four groups of 32, and tails of 12 whose keys are f16.
        let heads = 6
        var expected: [Component: Int] = [:]
        expected[.keyCodes] = heads * 128 * (16 + 8)
        expected[.keyScales] = heads * 2 * 4 * 32 * 2
        expected[.keyZeros] = expected[.keyScales]
        expected[.keyRows] = heads * (12 + 12 + 20) * 32 * 2
        expected[.valueCodes] = heads * 140 * (32 + 16)
        expected[.valueScales] = heads * 280 * 2
        expected[.valueZeros] = expected[.valueScales]
        expected[.valueRows] = heads * 20 * 64 * 2
        expected[.bases] = heads * 64 * 2
        expected[.positions] = heads * 280 * 4
        #expect(ledger.components == expected)
    }

    @Test func refusals() throws {
        let cache = try RandomCache(seed: 1).make()
        let error = #expect(throws: CompressionError.self) {
            try Plan("zipcache").compress(cache)
        }
        #expect(error?.code == .queries && error?.description.contains("zipcache") == true)
    }
}
