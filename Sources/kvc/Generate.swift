import ArgumentParser
import Foundation
import KVCompress
import KVFiles
import KVHost

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a model write on, with a compressed cache.",
        discussion: """
            The prompt is read with the full cache, then the plan is applied, and kept while the model \
            writes. The text goes to standard output as it comes; a line about speed and memory follows.
            """
    )

    @OptionGroup var model: ModelOptions

    @Option(name: .long, help: "What the model goes on from.")
    var prompt: String?

    @Option(
        name: .long, help: ArgumentHelp("The same, from a UTF-8 file.", valueName: "file"),
        completion: .file())
    var promptFile: String?

    @Option(name: .short, help: ArgumentHelp("Tokens to write.", valueName: "n"))
    var n = 200

    @Option(
        name: .long,
        help: "0 always takes the most likely token; 1 takes each as often as the model thinks.")
    var temperature: Float = 0

    @Option(name: .long, help: "Of the choices by chance.")
    var seed: UInt64 = 0

    @OptionGroup var work: WorkOptions

    func validate() throws {
        guard (prompt == nil) != (promptFile == nil) else {
            throw ValidationError("Give one of --prompt and --prompt-file.")
        }
        guard n >= 1 else { throw ValidationError("-n takes 1 or more tokens.") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature takes 0 or more.")
        }
    }

    func run() throws {
        let plan = try Plan(typed: model.plan)
        let path = model.path
        let status = StatusLine("reading \(path)", quiet: work.quiet)
        defer { status.end() }
        let model = try model.open(work)
        let tokenizer = try Tokenizer(model: URL(fileURLWithPath: path))
        let ids = tokenizer.encode(try text())
        guard !ids.isEmpty, tokenizer.count <= model.vocabulary else {
            throw Failure(
                description: ids.isEmpty
                    ? "the prompt is empty; expected some text"
                    : "\(path): \(tokenizer.count) pieces of text, but the model knows \(model.vocabulary) tokens",
                status: .failure)
        }
        var options = SessionOptions()
        options.workers = Workers(threads: work.threads ?? 1)
        let session = try naming(path) { () throws(CompressionError) in
            try model.session(plan, options: options)
        }
        var logits = try naming(path) { () throws(CompressionError) in
            let logits = try model.read(ids, session, logits: .last)
            try session.compress()
            return logits
        }
        status.end()
        var sampler = Sampler(temperature: temperature, seed: seed)
        var count = 0
        let start = ContinuousClock.now
        while true {
            let token = sampler.next(logits)
            guard token < tokenizer.count, token != tokenizer.end else { break }
            count += 1
            FileHandle.standardOutput.write(Data(tokenizer.bytes(token)))
            guard count < n else { break }
            logits = try naming(path) { () throws(CompressionError) in
                try model.read([token], session, logits: .last)
            }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        FileHandle.standardOutput.write(Data("\n".utf8))
        work.say(
            "\n\(count) tokens, \(String(format: "%.1f", Double(count) / seconds)) tokens/s; "
                + "cache now \(CacheBytes(session).text)")
    }

    private func text() throws -> String {
        guard let promptFile else { return prompt ?? "" }
        let file = try MappedFile(URL(fileURLWithPath: promptFile))
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
            throw Failure(description: "\(promptFile): is not UTF-8", status: .failure)
        }
        return text
    }
}
