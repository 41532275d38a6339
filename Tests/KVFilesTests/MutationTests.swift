import Foundation
import KVCompress
import KVFiles
import KVModelFiles
import Testing

/// Thousands of files that were valid before something happened to them.
@Suite struct MutationTests {
    /// Reads a file as everything that it may be, and every number of a cache that was accepted.
    ///
    /// Returns whether it was accepted.
    private func readSafetensors(_ url: URL) -> Bool {
        do {
            let cache = try KVDump.read(url)
            for layer in cache.layers {
                for rows in layer.keys + layer.values + (layer.queries ?? []) { _ = rows.floats() }
            }
            return true
        } catch {
            #expect(!error.description.contains("\n") && error.description.count < 2000)
        }
        _ = try? QueryFile.read(url)
        return false
    }

    private func smallDump(_ scratch: Scratch) throws -> (
        header: String, data: [UInt8], all: [UInt8]
    ) {
        func rows(_ count: Int) -> [Rows] { [Rows((0..<count * 2).map(Float.init), dim: 2)] }
        let layer = CacheLayer(keys: rows(3), values: rows(3), queries: rows(2))
        try KVDump.write(
            Cache(layers: [layer, layer], metadata: ["model": "small"]), to: scratch["file"])
        let all = Array(try Data(contentsOf: scratch["file"]))
        let end = 8 + Int(all[0]) + Int(all[1]) << 8
        return (String(decoding: all[8..<end], as: UTF8.self), Array(all[end...]), all)
    }

    @Test func damagedDumpsNeverCrash() throws {
        print("damagedDumpsNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        let dump = try smallDump(scratch)
        for _ in 0..<4000 {
            var bytes = dump.all
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes = random.damaged(bytes) }
            _ = readSafetensors(try scratch.file(bytes))
        }
    }

    @Test func damagedHeadersNeverCrash() throws {
        print("damagedHeadersNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        let dump = try smallDump(scratch)
        var accepted = 0
        for _ in 0..<4000 {
            var header = dump.header
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                header = random.damaged(json: header)
            }
            if readSafetensors(try scratch.file(safetensors(header, data: dump.data))) {
                accepted += 1
            }
        }
        // Some damage is none (spaces, metadata), but most must be noticed.
        #expect(accepted < 2000)
    }

    @Test func damagedModelsNeverCrash() throws {
        print("damagedModelsNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        let sample = GGUFTests.sample()
        let header = sample.header
        var accepted = 0
        for _ in 0..<6000 {
            // The header alone, so that the damage meets what is parsed.
            var bytes = header
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes = random.damaged(bytes) }
            guard let file = readModel(try scratch.file(bytes + sample.data)) else { continue }
            accepted += 1
            for tensor in file.tensors.values {
                let count = tensor.shape.reduce(1, *)
                var floats = [Float](repeating: 0, count: count)
                let bytes = file.storage(of: tensor).bytes
                tensor.format.decode(try #require(bytes.baseAddress), count: count, to: &floats)
            }
        }
        // Changed names and numbers are as good as the old ones, but most damage must be noticed.
        #expect(accepted > 0 && accepted < 3000)
    }

    /// Reads a model and every list of its metadata; nil when it was refused.
    private func readModel(_ url: URL) -> GGUF? {
        do {
            let file = try GGUF(url)
            for value in file.metadata.values { _ = (value.list?.strings, value.list?.numbers) }
            return file
        } catch {
            #expect(!error.description.contains("\n") && error.description.count < 2000)
            return nil
        }
    }

    @Test func damagedContainersAreAlwaysRefused() throws {
        print("damagedContainersAreAlwaysRefused: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        try Container.write(smallArchive(), metadata: ["model": "small"], to: scratch["file"])
        let original = Array(try Data(contentsOf: scratch["file"]))
        for round in 0..<4000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes = random.damaged(bytes) }
            guard bytes != original else { continue }
            let url = try scratch.file(bytes)
            #expect(throws: FileError.self, "round \(round) of seed \(runSeed)") {
                try Container(url)
            }
        }
    }

    @Test func containersWithMatchingChecksumsNeverCrash() throws {
        print("containersWithMatchingChecksumsNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        try Container.write(smallArchive(), metadata: ["model": "small"], to: scratch["file"])
        let original = Array(try Data(contentsOf: scratch["file"]))
        let table = 64..<64 + Int(original[32]) + Int(original[33]) << 8
        for _ in 0..<4000 {
            // A hostile writer: the damage lies in the header or the table, and their checksums are right.
            var bytes = original
            let area = Bool.random(using: &random) ? 16..<48 : table
            var part = Array(bytes[area])
            part = random.damaged(part) + [UInt8](repeating: 0, count: area.count)
            bytes.replaceSubrange(area, with: part.prefix(area.count))
            let places = [(table, 44), (0..<60, 60)]
            for (covered, place) in places {
                let checksum = bytes[covered].withUnsafeBytes { crc32c($0) }
                withUnsafeBytes(of: checksum.littleEndian) {
                    bytes.replaceSubrange(place..<place + 4, with: $0)
                }
            }
            guard bytes != original else { continue }
            let url = try scratch.file(bytes)
            // The name of a section may have changed, which is then as good a name as any.
            _ = try? Container(url)
        }
    }
}
