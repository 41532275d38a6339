import Foundation
import Testing

@testable import KVCompress

/// A cache taken apart and put together again, and manifests that nobody should trust.
@Suite struct ArchiveTests {
    static let plans =
        AttentionTests.plans + ["snapkv(budget=30%) | kvcrush | q4(protect=1, window=3)"]

    @Test(arguments: plans) func roundTrip(plan text: String) throws {
        for seed in 0..<6 {
            var shape = RandomCache.any(seed + 600)
            shape.queries = max(1, shape.tokens / 2)
            let cache = try Plan(text).compress(try shape.make())
            let again = try CompressedCache(archive: cache.archive())
            #expect(
                again.plan == cache.plan && again.tokens == cache.tokens
                    && again.metadata == cache.metadata
            )
            #expect(
                again.report == cache.report && again.ledger == cache.ledger
                    && again.geometry == cache.geometry
            )
            let queries = shape.makeQueries(3)
            var options = AttentionOptions()
            options.positions = [0, Int32(shape.tokens / 2), Int32(shape.tokens)]
            for layer in 0..<shape.layers {
                let a = try cache.attend(queries, layer: layer, options: options)
                let b = try again.attend(queries, layer: layer, options: options)
                #expect(a.map(\.bits) == b.map(\.bits), "\(text), \(shape)")
                for head in 0..<shape.kvHeads {
                    let x = cache.entries(layer: layer, head: head),
                        y = again.entries(layer: layer, head: head)
                    #expect(x.keys.bits == y.keys.bits && x.values.bits == y.values.bits)
                    #expect(x.positions == y.positions && x.votes == y.votes)
                }
            }
            #expect(again.archive().manifest == cache.archive().manifest)
        }
    }

    /// What an archive says, if it is believed at all, must be usable without a trap.
    private func use(_ archive: Archive, _ what: String) -> Bool {
        let cache: CompressedCache
        do {
            cache = try CompressedCache(archive: archive)
        } catch {
            #expect(error.code == .archive, "\(what): \(error)")
            #expect(!error.description.contains("\n"), "\(what): \(error)")
            return false
        }
        for (layer, geometry) in cache.geometry.enumerated() {
            let query = Rows([Float](repeating: 0.5, count: geometry.keyDim), dim: geometry.keyDim)
            let outputs = try? cache.attend(
                [Rows](repeating: query, count: geometry.kvHeads),
                layer: layer
            )
            #expect(outputs?.count == geometry.kvHeads, "\(what)")
            for head in 0..<geometry.kvHeads {
                let entries = cache.entries(layer: layer, head: head)
                let ascending = zip(entries.positions, entries.positions.dropFirst()).allSatisfy {
                    $0 < $1
                }
                #expect(ascending && !entries.positions.isEmpty, "\(what)")
                #expect(entries.positions.allSatisfy { $0 >= 0 && $0 < cache.tokens }, "\(what)")
            }
        }
        #expect(cache.ledger.storedBytes > 0 && !cache.archive().manifest.isEmpty, "\(what)")
        return true
    }

    private static let victims = [
        "f16", "q8(keys=per-channel, window=5)", "random(budget=50%) | q4(mode=asymmetric)",
        "random(budget=60%, tokens=layer) | q4(keys=per-channel, rotate=hadamard)",
        "kv(keys=f32, values=bf16)", "think(keep=50%) | q8",
        "random(budget=80%) | lowrank(keys=3, values=2, rope=undo) | q4(window=5)",
    ]

    private func victim(_ text: String) throws -> Archive {
        try Plan(text).compress(
            RandomCache(seed: 8, layers: 2, tokens: 80, keyDim: 12, valueDim: 8, queries: 8).make()
        ).archive()
    }

    /// Manifests with hostile numbers, missing and doubled parts: refused or harmless.
    @Test(arguments: victims) func mutatedManifests(plan text: String) throws {
        let archive = try victim(text)
        let tree = try JSONSerialization.jsonObject(with: Data(archive.manifest))
        var accepted = 0
        for seed in 0..<1500 {
            var random = Seeded(seed)
            var mutated = tree
            for _ in 0..<random.pick([1, 1, 1, 2, 3]) { mutated = mutate(mutated, &random) }
            guard JSONSerialization.isValidJSONObject(mutated) else { continue }
            let manifest = try JSONSerialization.data(withJSONObject: mutated)
            if use(
                Archive(manifest: Array(manifest), sections: archive.sections),
                "\(text), seed \(seed)"
            ) {
                accepted += 1
            }
        }
        print("archive of \(text): \(accepted) of 1500 mutated manifests described a cache")
    }

    private func mutate(_ node: Any, _ random: inout Seeded) -> Any {
        if var object = node as? [String: Any],
            let key = object.keys.sorted().randomElement(using: &random)
        {
            switch random.int(0...19) {
            case 0: object[key] = nil
            case 1: object[key] = hostile(object[key]!, &random)
            default: object[key] = mutate(object[key]!, &random)
            }
            return object
        }
        if var array = node as? [Any], let index = array.indices.randomElement(using: &random) {
            switch random.int(0...11) {
            case 0: array.remove(at: index)
            case 1: array.append(array[index])
            case 2: array.swapAt(0, index)
            case 3: array[index] = hostile(array[index], &random)
            default: array[index] = mutate(array[index], &random)
            }
            return array
        }
        return hostile(node, &random)
    }

    private func hostile(_ node: Any, _ random: inout Seeded) -> Any {
        if let number = node as? Int, random.int(0...2) > 0 {
            return number &+ random.pick([-64, -32, -4, -1, 1, 2, 4, 16, 32, 48, 64, 128, 4096])
        }
        let numbers = [
            Int.min, -64, -1, 0, 1, 3, 7, 16, 31, 32, 64, 128, 1024, 1025, 65536, Int(Int32.max),
            1 << 31, 1 << 32, 1 << 40,
            Int.max / 1024, Int.max - 63, Int.max,
        ]
        let words = [
            "", "f32", "f16", "bf16", "q8", "q4", "q5", "per-token", "per-channel", "h2o(budget=0)",
            "q4 | q4",
        ]
        switch random.int(0...9) {
        case 0: return NSNull()
        case 1: return random.pick([true, false])
        case 2: return random.pick([0.5, -1e300, 1e308])
        case 3: return [Any]()
        case 4: return [String: Any]()
        case 5, 6: return random.pick(words)
        default: return random.pick(numbers)
        }
    }

    /// Bytes of the manifest changed at random, cut and doubled.
    @Test(arguments: victims) func damagedManifests(plan text: String) throws {
        let archive = try victim(text)
        for seed in 0..<600 {
            var random = Seeded(seed)
            var manifest = archive.manifest
            for _ in 0..<random.int(1...4) {
                let place = random.int(0...manifest.count - 1)
                switch random.int(0...4) {
                case 0: manifest = Array(manifest[..<max(1, place)])
                case 1: manifest.insert(contentsOf: manifest[place...].prefix(9), at: place)
                case 2: manifest[place] = UInt8(ascii: "9")
                default:
                    manifest[place] = random.pick(Array("0123456789-,:{}[]\"eE.\u{0}\u{7f}".utf8))
                }
            }
            _ = use(
                Archive(manifest: manifest, sections: archive.sections),
                "\(text), seed \(seed)"
            )
        }
    }

    /// Sections of any content or length, missing, or under each other's names.
    @Test(arguments: victims) func damagedSections(plan text: String) throws {
        let archive = try victim(text)
        for seed in 0..<300 {
            var random = Seeded(seed)
            var sections = archive.sections.map { section in
                var bytes = Array(section.storage.bytes)
                switch random.int(0...3) {
                case 0:
                    for _ in 0..<9 {
                        bytes[random.int(0...bytes.count - 1)] = random.pick([
                            0, 0x7C, 0x7E, 0xFC, 0xFF,
                        ])
                    }
                case 1: bytes.removeLast(random.int(1...bytes.count))
                case 2: bytes = bytes.map { _ in UInt8.random(in: 0...255, using: &random) }
                default: break
                }
                return Archive.Section(name: section.name, storage: Storage(copying: bytes))
            }
            if seed % 7 == 0 { sections.removeLast() }
            if seed % 11 == 0 { sections.reverse() }
            if seed % 13 == 0 {
                sections.append(
                    Archive.Section(name: "layer.0", storage: Storage(copying: [UInt8]()))
                )
            }
            _ = use(
                Archive(manifest: archive.manifest, sections: sections),
                "\(text), seed \(seed)"
            )
        }
    }

    /// A section that does not start on a cache line, as no writer makes it.
    @Test func misalignedSection() throws {
        let archive = try victim("f32")
        let sections = archive.sections.map { section in
            let moved = Storage(copying: [0] + Array(section.storage.bytes))
            return Archive.Section(
                name: section.name,
                storage: Storage(
                    unsafeBytes: UnsafeRawBufferPointer(rebasing: moved.bytes.dropFirst()),
                    keptBy: moved
                )
            )
        }
        let error = #expect(throws: CompressionError.self) {
            try CompressedCache(archive: Archive(manifest: archive.manifest, sections: sections))
        }
        #expect(error?.code == .archive)
    }
}
