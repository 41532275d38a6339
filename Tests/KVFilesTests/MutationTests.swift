import Foundation
import KVCompress
import KVFiles
import Testing

/// Thousands of files that were valid before something happened to them.
@Suite struct MutationTests {
    /// Damages bytes once in a randomly chosen way.
    private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var result = bytes
        func range(_ random: inout SeededGenerator) -> Range<Int> {
            let start = Int.random(in: 0...result.count, using: &random)
            return start..<Int.random(in: start...min(result.count, start + 64), using: &random)
        }
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            for _ in 0..<Int.random(in: 1...8, using: &random) where !result.isEmpty {
                let bit = Int.random(in: 0..<result.count * 8, using: &random)
                result[bit / 8] ^= 1 << (bit % 8)
            }
        case 1: result.removeLast(Int.random(in: 0...result.count, using: &random))
        case 2: result.removeSubrange(range(&random))
        case 3:
            let piece = Array(result[range(&random)])
            result.insert(contentsOf: piece, at: Int.random(in: 0...result.count, using: &random))
        case 4:
            let numbers: [UInt64] = [
                0, 1, 0x7F, 1 << 31, 1 << 32, 1 << 62, .max >> 1, .max - 63, .max,
            ]
            let number = numbers.randomElement(using: &random) ?? 0
            let piece = withUnsafeBytes(of: number.littleEndian) { Array($0) }
            let start = Int.random(in: 0...max(0, result.count - 8), using: &random)
            result.replaceSubrange(start..<min(result.count, start + 8), with: piece)
        default:
            let start = Int.random(in: 0...result.count, using: &random)
            let end = min(result.count, start + Int.random(in: 1...16, using: &random))
            for index in start..<end { result[index] = .random(in: .min ... .max, using: &random) }
        }
        return result
    }

    /// Damages the text of a JSON header, so that the damage passes the parser more often.
    private func mutate(header: String, _ random: inout SeededGenerator) -> String {
        let words = [
            "0", "1", "2", "18446744073709551616", "9223372036854775807", "4611686018427387904",
            "-1", "1e9", "null",
            "F32", "F16", "BF16", "U8", "layers.0.key", "layers.1.query", "__metadata__", "shape",
            "[]", "{}", ",", "\"",
            "\\u0000", "[[[[[[[[[[", "{\"a\":{\"a\":",
        ]
        // Pieces are what stands between marks; one is replaced, doubled, dropped or exchanged.
        var pieces: [String] = []
        for character in header {
            if "{}[],:\"".contains(character)
                || pieces.last.map({ "{}[],:\"".contains($0) }) ?? true
            {
                pieces.append(String(character))
            } else {
                pieces[pieces.count - 1].append(character)
            }
        }
        let index = Int.random(in: 0..<pieces.count, using: &random)
        let other = Int.random(in: 0..<pieces.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: pieces[index] = words.randomElement(using: &random) ?? ""
        case 1: pieces.insert(pieces[index], at: index)
        case 2: pieces.remove(at: index)
        case 3: pieces.swapAt(index, other)
        default:
            // A whole run again: names given twice, tensors that overlap.
            let run = pieces[min(index, other)...max(index, other)]
            pieces.insert(contentsOf: run, at: max(index, other))
        }
        return pieces.joined()
    }

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
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes = mutate(bytes, &random) }
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
                header = mutate(header: header, &random)
            }
            if readSafetensors(try scratch.file(safetensors(header, data: dump.data))) {
                accepted += 1
            }
        }
        // Some damage is none (spaces, metadata), but most must be noticed.
        #expect(accepted < 2000)
    }

    @Test func damagedContainersAreAlwaysRefused() throws {
        print("damagedContainersAreAlwaysRefused: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        try Container.write(smallArchive(), metadata: ["model": "small"], to: scratch["file"])
        let original = Array(try Data(contentsOf: scratch["file"]))
        for round in 0..<4000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) { bytes = mutate(bytes, &random) }
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
            part = mutate(part, &random) + [UInt8](repeating: 0, count: area.count)
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
