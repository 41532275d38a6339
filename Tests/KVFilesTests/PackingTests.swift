import Foundation
import KVCompress
import KVFiles
import Testing

/// Sections that pack in two planes (numbers near 1 in f16), in one, in four, and not at all.
private func packableArchive() -> Archive {
    var random = SeededGenerator(seed: 3)
    let noise = (0..<600).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    let sections: [(String, [UInt8])] = [
        ("halves", noise.prefix(300).flatMap { [$0, 0x3C] }),
        ("text", Array(String(repeating: "layers.0.key ", count: 40).utf8)),
        ("words", noise.prefix(300).flatMap { [$0, $0 ^ 0x55, 0x12, 0x3F] }),
        ("noise", noise), ("empty", []), ("odd", noise.prefix(150).flatMap { [$0, 0x3C] } + [7]),
        ("zeros", [UInt8](repeating: 0, count: 1 << 20)),
    ]
    return Archive(
        manifest: Array("{}".utf8),
        sections: sections.map { Archive.Section(name: $0, storage: Storage(copying: $1)) })
}

/// Bytes of a container whose checksums are right again, however little else is.
private func repaired(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    func number(_ offset: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    func put(_ offset: Int, _ covered: Range<Int>) {
        let checksum = bytes[covered].withUnsafeBytes { crc32c($0) }
        withUnsafeBytes(of: checksum.littleEndian) {
            bytes.replaceSubrange(offset..<offset + 4, with: $0)
        }
    }
    let table = 64..<64 + number(32, 4)
    var entry = 64
    for _ in 0..<number(40, 4) where entry + 24 <= table.upperBound {
        let start = number(entry, 4), end = (start + number(entry + 8, 4) + 63) / 64 * 64
        if start <= end, end <= bytes.count { put(entry + 16, start..<end) }
        entry += 24 + (bytes[entry + 21] == 0 ? 0 : 8) + Int(bytes[entry + 20])
    }
    put(44, table)
    put(60, 0..<60)
    return bytes
}

@Suite struct PackingTests {
    private func written(_ scratch: Scratch) throws -> [UInt8] {
        try Container.write(packableArchive(), metadata: [:], to: scratch["file"], pack: true)
        return Array(try Data(contentsOf: scratch["file"]))
    }

    @Test(arguments: [Container.Verification.atOpen, .onFirstUse])
    func readsWhatWasPacked(verification: Container.Verification) throws {
        let scratch = try Scratch()
        let bytes = try written(scratch)
        #expect(try written(scratch) == bytes)
        let container = try Container(scratch["file"], verify: verification)
        let original = packableArchive()
        #expect(container.archive.manifest == original.manifest)
        #expect(container.archive.sections.map(\.name) == original.sections.map(\.name))
        for (section, other) in zip(container.archive.sections, original.sections) {
            #expect(section.storage.bytes.elementsEqual(other.storage.bytes), "\(section.name)")
            #expect(UInt(bitPattern: section.storage.bytes.baseAddress) % 64 == 0)
        }
        // Noise does not shrink; a million zeros would shrink beyond belief.
        let planes = Dictionary(
            uniqueKeysWithValues: container.sections.map { ($0.name, $0.packing?.planes) })
        #expect(
            planes == [
                "manifest": nil, "metadata": nil, "halves": 2, "text": 1, "words": 4, "noise": nil,
                "empty": nil, "odd": 2, "zeros": nil,
            ])
        let packed = container.sections.compactMap { section in
            section.packing.map { $0.byteCount - section.bytes.count }
        }
        #expect(packed.allSatisfy { $0 > 0 })
        #expect(container.unpackedByteCount - bytes.count == packed.reduce(0, +))
    }

    @Test func whatIsNotPackedIsAsItAlwaysWas() throws {
        let scratch = try Scratch()
        try Container.write(smallArchive(), metadata: [:], to: scratch["file"], pack: true)
        try Container.write(smallArchive(), metadata: [:], to: scratch["other"])
        #expect(try Data(contentsOf: scratch["file"]) == Data(contentsOf: scratch["other"]))
    }

    @Test(arguments: [("f16", 0.89), ("q8", 0.94), ("q4", 0.91)])
    func packsRealCaches(plan: String, share: Double) throws {
        let scratch = try Scratch()
        for name in ["stories260k", "tinystories-5m"] {
            let cache = try KVDump.read(dataFolder.appending(path: "\(name).kv.safetensors"))
            try Container.write(
                Plan(plan).compress(cache).archive(), metadata: [:], to: scratch["file"], pack: true
            )
            let container = try Container(scratch["file"])
            let ratio = Double(container.file.byteCount) / Double(container.unpackedByteCount)
            #expect(ratio < share, "\(name)")
        }
    }

    @Test func refusesAFlippedBitOfEveryByte() throws {
        let scratch = try Scratch()
        var random = SeededGenerator(seed: 1)
        var archive = packableArchive()
        archive.sections.removeLast()
        try Container.write(archive, metadata: [:], to: scratch["file"], pack: true)
        let bytes = Array(try Data(contentsOf: scratch["file"]))
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let url = try scratch.file(flipped)
            #expect(throws: FileError.self, "byte \(index)") { try Container(url) }
        }
    }

    @Test func refusesWhatAnotherWriterMeant() throws {
        let scratch = try Scratch()
        let bytes = try written(scratch)
        // The entry of the first packed section stands behind those of the manifest and the metadata.
        let entry = 64 + 2 * (24 + 8)
        let section = try #require(try Container(scratch["file"]).sections.dropFirst(2).first)
        #expect(section.name == "halves" && bytes[entry + 21] == 2)
        func expect(
            _ code: FileError.Code, _ words: String, _ offset: Int, _ piece: [UInt8],
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            var changed = bytes
            changed.replaceSubrange(offset..<offset + piece.count, with: piece)
            let url = try scratch.file(repaired(changed))
            expectRefusal(code, words, sourceLocation: sourceLocation) { _ = try Container(url) }
        }
        func number(_ value: UInt64) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian, Array.init)
        }

        try expect(.unsupported, "unknown flags 0x3", 12, [3])
        try expect(.format, "disagree on whether sections are packed", 12, [0])
        try expect(.format, "packed in a way that is not known", entry + 21, [3])
        try expect(.format, "packed in a way that is not known", entry + 22, [1])
        let most = UInt64(section.bytes.count * 64)
        for count in [most + 1, 1 << 40, .max] {
            try expect(
                .format, "would unpack to more than 64 times as many", entry + 24, number(count))
        }
        for count in [0, 599, 601, most] {
            try expect(.format, "does not unpack to \(count) bytes", entry + 24, number(count))
        }
        // A frame that says 600 bytes and holds 100,000: one block of a byte repeated.
        let header: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x60, 0x58, 1]  // 0x158 = 600 - 256
        let block = UInt32(1 | 1 << 1 | 100_000 << 3)
        let bomb = header + withUnsafeBytes(of: block.littleEndian) { Array($0.prefix(3)) } + [7]
        try expect(.format, "does not unpack to 600 bytes", section.bytes.lowerBound, bomb)
        try expect(.format, "does not unpack to 600 bytes", section.bytes.lowerBound, [0])
    }

    @Test func framesWithMatchingChecksumsNeverCrash() throws {
        print("framesWithMatchingChecksumsNeverCrash: KVCOMPRESS_SEED=\(runSeed)")
        let scratch = try Scratch()
        var random = SeededGenerator(seed: runSeed)
        var archive = packableArchive()
        archive.sections.removeLast()
        try Container.write(archive, metadata: [:], to: scratch["file"], pack: true)
        let original = Array(try Data(contentsOf: scratch["file"]))
        let container = try Container(scratch["file"])
        let areas =
            [64..<container.sections[0].bytes.lowerBound]
            + container.sections.filter { $0.packing != nil }.map(\.bytes)
        var refused = 0
        for round in 0..<4000 {
            var bytes = original
            let area = areas[round % areas.count]
            let part = random.damaged(Array(bytes[area])) + [UInt8](repeating: 0, count: area.count)
            bytes.replaceSubrange(area, with: part.prefix(area.count))
            let url = try scratch.file(repaired(bytes))
            do {
                let sections = try Container(url).archive.sections
                for section in sections { _ = section.storage.bytes.reduce(0, &+) }
            } catch {
                refused += 1
                #expect(!error.description.contains("\n"))
            }
        }
        #expect(refused > 1000)
    }
}
