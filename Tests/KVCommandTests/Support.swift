import Foundation
import KVCompress
import KVFiles
import Testing

/// The package's folder.
let packageFolder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A dump that the repository carries.
func example(_ name: String) -> String {
    packageFolder.appendingPathComponent("Examples/data/\(name).kv.safetensors").path
}

/// What a run of `kvc` left behind.
struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// The output as JSON.
    var json: [String: Any] {
        get throws {
            try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
        }
    }
}

/// The built command, which stands beside the test bundle.
private let executable: URL = {
    let bundle =
        CommandLine.arguments.lazy.compactMap { argument in
            argument.range(of: ".xctest").map { String(argument[..<$0.lowerBound]) }
        }.first ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("kvc")
}()

/// A folder for one test, removed with it.
final class Workplace {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "kvc-\(UUID().uuidString)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func url(_ name: String) -> URL { folder.appendingPathComponent(name) }

    /// The names of all files, hidden ones included.
    var files: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
    }

    /// Runs `kvc` here as a user would.
    @discardableResult
    func kvc(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        try kvc(arguments, environment: environment)
    }

    /// - Parameters:
    ///   - fileBlocks: the most blocks (of 512 or 1024 bytes) that a file may take, if any.
    ///   - watch: called ten times a second with the process while it runs; it may print little.
    func kvc(
        _ arguments: [String], environment: [String: String] = [:], fileBlocks: Int? = nil,
        watch: ((Int32) -> Void)? = nil
    ) throws -> Outcome {
        let process = Process()
        let output = Pipe(), errors = url(".errors-\(UUID().uuidString)")
        #expect(FileManager.default.createFile(atPath: errors.path, contents: nil))
        defer { try? FileManager.default.removeItem(at: errors) }
        process.executableURL = executable
        process.arguments = arguments
        if let fileBlocks {
            let limited = "trap '' XFSZ; ulimit -f \(fileBlocks); exec \"$0\" \"$@\""
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", limited, executable.path] + arguments
        }
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        // A file, since two pipes read one after the other can block.
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        while let watch, process.isRunning {
            watch(process.processIdentifier)
            Thread.sleep(forTimeInterval: 0.1)
        }
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(
            process.terminationReason == .exit,
            "kvc \(arguments.joined(separator: " ")) crashed"
        )
        return Outcome(
            status: process.terminationStatus,
            output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        )
    }

    /// Runs `kvc`, which has to succeed without a word on standard error.
    @discardableResult
    func succeed(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        let outcome = try kvc(arguments, environment: environment)
        try #require(
            outcome.status == 0,
            "kvc \(arguments.joined(separator: " ")): \(outcome.errors)"
        )
        #expect(outcome.errors.isEmpty)
        return outcome
    }

    /// Runs `kvc`, which has to refuse: on one line that holds all `words`, leaving no file behind.
    func refuse(
        _ arguments: [String],
        status: Int32 = 1,
        saying words: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = try files
        let outcome = try kvc(arguments)
        #expect(
            outcome.status == status,
            "\(arguments): \(outcome.errors)",
            sourceLocation: sourceLocation
        )
        #expect(
            outcome.errors.split(separator: "\n").count == 1,
            "\(arguments): \(outcome.errors)",
            sourceLocation: sourceLocation
        )
        for word in words {
            #expect(
                outcome.errors.contains(word),
                "\(arguments): \(outcome.errors)",
                sourceLocation: sourceLocation
            )
        }
        #expect(try files == before, "\(arguments) left a file", sourceLocation: sourceLocation)
    }
}

/// A small cache of made-up numbers, perhaps with one of them replaced.
func smallCache(
    layers: Int = 2,
    tokens: Int = 40,
    queries: Int? = 40,
    spoil: (layer: Int, index: Int, value: Float)? = nil
) throws -> Cache {
    let dim = 8
    func rows(_ count: Int, _ seed: Int, _ layer: Int) -> Rows {
        var values = (0..<count * dim).map { Float(sin(Double($0 * seed + seed))) }
        if let spoil, spoil.layer == layer, seed == 3 { values[spoil.index] = spoil.value }
        return Rows(values, dim: dim)
    }
    return try Cache(
        layers: (0..<layers).map { layer in
            CacheLayer(
                keys: [rows(tokens, 2, layer), rows(tokens, 3, layer)],
                values: [rows(tokens, 5, layer), rows(tokens, 7, layer)],
                queries: queries.map { count in (0..<4).map { rows(count, 11 + $0, layer) } }
            )
        }
    )
}
