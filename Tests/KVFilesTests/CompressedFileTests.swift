import Foundation
import KVCompress
import KVFiles
import Testing

/// Compressed caches through `.kvc` files.
@Suite struct CompressedFileTests {
    private func dump() throws -> Cache {
        try KVDump.read(dataFolder.appending(path: "stories260k.kv.safetensors"))
    }

    private func outputs(_ compressed: CompressedCache, _ cache: Cache) throws -> [[[Float]]] {
        try cache.layers.enumerated().map { index, layer in
            try compressed.attend((layer.queries ?? []).map { $0[0..<3] }, layer: index)
        }
    }

    @Test(
        arguments: [
            "f32", "f16", "bf16", "q8", "q4(group=64)", "q3", "q2", "turboquant(bits=3, rotate=qr)",
            "zipcache(others=3)",
            "q4(keys=per-channel, values=per-token)",
            "snapkv(budget=25%) | kvcrush(share=25%) | kv(keys=q8, values=q4, window=64, protect=1)",
        ], [false, true])
    func attendsTheSameAfterAFile(plan: String, pack: Bool) throws {
        let scratch = try Scratch()
        let cache = try dump()
        let compressed = try Plan(plan).compress(cache)
        try Container.write(
            compressed.archive(), metadata: compressed.metadata, to: scratch["file"], pack: pack)
        let (archive, metadata) = try Container.read(from: scratch["file"])
        let copy = try CompressedCache(archive: archive)
        #expect(metadata == cache.metadata && copy.metadata == cache.metadata)
        #expect(copy.plan == compressed.plan)
        let (ledger, copied) = (compressed.ledger, copy.ledger)
        #expect(copied.components == ledger.components)
        // What was held in memory is mapped now.
        #expect(copied.residentBytes == 0 && copied.mappedBytes == ledger.residentBytes)
        #expect(try outputs(copy, cache) == outputs(compressed, cache))
    }

    @Test func manifestsThatLieNeverCrash() throws {
        print("manifestsThatLieNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        var random = SeededGenerator(seed: runSeed)
        let cache = try dump().prefix(200)
        let plans = [
            "q4(keys=per-channel, values=per-token)", "snapkv(budget=25%) | q8(window=8)",
            "turboquant(rotate=qr)",
        ]
        for plan in plans {
            let archive = try Plan(plan).compress(cache).archive()
            let manifest = String(decoding: archive.manifest, as: UTF8.self)
            for _ in 0..<400 {
                let lie = Archive(
                    manifest: Array(random.damaged(json: manifest).utf8), sections: archive.sections
                )
                do {
                    let compressed = try CompressedCache(archive: lie)
                    _ = compressed.ledger
                    for layer in compressed.geometry.indices {
                        _ = compressed.entries(layer: layer, head: 0)
                    }
                    _ = try outputs(compressed, cache)
                } catch let error as CompressionError {
                    #expect(!error.description.contains("\n"))
                }
            }
        }
    }
}
