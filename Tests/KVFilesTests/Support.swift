import Foundation
import KVFiles
import Testing

/// A folder that is removed with what is in it at the end of a test.
final class Scratch {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("KVFilesTests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    subscript(_ name: String) -> URL { folder.appendingPathComponent(name) }

    /// What is in the folder, sorted.
    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
    }

    /// A new file of these bytes; an old one's mappings stay whole, as it is not shortened but removed.
    func file(_ bytes: [UInt8], _ name: String = "file") throws -> URL {
        let url = self[name]
        unlink(url.path)
        try Data(bytes).write(to: url)
        return url
    }
}

/// The error that `body` throws, recorded as an issue when it throws none.
func refusal(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void)
    -> FileError?
{
    #expect(throws: FileError.self, sourceLocation: sourceLocation) { try body() }
}

/// Checks that `body` is refused with a one-line message about `name` that contains `words`.
func expectRefusal(
    _ code: FileError.Code, _ words: String, file name: String = "file",
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    guard let error = refusal(sourceLocation: sourceLocation, body) else { return }
    #expect(error.code == code, sourceLocation: sourceLocation)
    #expect(error.description.contains(words), sourceLocation: sourceLocation)
    #expect(error.description.contains("\(name): "), sourceLocation: sourceLocation)
    #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
}

/// A generator of a seeded sequence (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// The seed of this run, from the environment variable `KVCOMPRESS_SEED`; printed by who uses it.
let runSeed = ProcessInfo.processInfo.environment["KVCOMPRESS_SEED"].flatMap(UInt64.init) ?? 1

/// The folder of the dumps that the repository carries.
let dataFolder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Examples/data").standardizedFileURL

/// The bytes of a safetensors file with this header text and data section.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
    let header = Array(header.utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
}
