import ArgumentParser
import Foundation
import KVCompress
import KVFiles
import KVHost

struct Score: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say how well a model foresees a text with a compressed cache.",
        discussion: """
            The tokens go through the model one by one, after the first --prefill of them at once with \
            the full cache; then the plan is applied, and kept as tokens come. The file holds \
            {"tokens": [1, 403, 407]}; Tools/tokenize.py writes such files.
            """
    )

    @OptionGroup var model: ModelOptions

    @Option(
        name: .long, help: ArgumentHelp("The token ids.", valueName: "tokens.json"),
        completion: .file())
    var tokens: String

    @Option(
        name: .long,
        help: ArgumentHelp("Tokens that are read before the plan applies.", valueName: "n"))
    var prefill = 0

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write -log p of every token but the first, and more.", valueName: "file"))
    var json: String?

    @OptionGroup var work: WorkOptions

    func validate() throws {
        guard prefill >= 0 else { throw ValidationError("--prefill takes 0 or more tokens.") }
    }

    func run() throws {
        try keepApart(inputs: [model.path, tokens], outputs: [json])
        let plan = try Plan(typed: model.plan)
        let status = StatusLine("reading \(model.path)", quiet: work.quiet)
        defer { status.end() }
        let model = try model.open(work)
        let ids = try TokenFile.read(URL(fileURLWithPath: tokens), vocabulary: model.vocabulary)
        guard ids.count >= 2, prefill < ids.count else {
            throw Failure(
                description: "\(tokens): \(ids.count) tokens; expected at least "
                    + "\(max(2, prefill + 1)), as one is foreseen behind the others",
                status: .failure)
        }
        let start = ContinuousClock.now
        let (losses, session) = try naming(tokens) { () throws(CompressionError) in
            try foresee(ids, model, plan, status)
        }
        status.end()
        let result = ScoreResult(
            plan: plan, losses: losses, prefill: prefill, session: session,
            seconds: (ContinuousClock.now - start) / .seconds(1))
        work.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
    }

    /// -log p of every token but the first.
    private func foresee(
        _ ids: [Int], _ model: Model, _ plan: Plan, _ status: StatusLine
    ) throws(CompressionError) -> ([Double], CacheSession) {
        var options = SessionOptions()
        options.workers = Workers(threads: work.threads ?? 1)
        let session = try model.session(plan, options: options)
        var losses: [Double] = []
        // Pieces that bound the memory of the logits.
        for first in stride(from: 0, to: prefill, by: 256) {
            let piece = first..<min(first + 256, prefill)
            let logits = try model.read(Array(ids[piece]), session)
            losses += negativeLogLikelihoods(
                Array(ids[piece.lowerBound + 1..<piece.upperBound + 1]), logits)
        }
        try session.compress()
        for place in prefill..<ids.count - 1 {
            status.now("token \(place + 1) of \(ids.count)")
            let logits = try model.read([ids[place]], session)
            losses += negativeLogLikelihoods([ids[place + 1]], logits)
        }
        return (losses, session)
    }
}

/// What every command that runs a model takes.
struct ModelOptions: ParsableArguments {
    @Option(
        name: .customLong("model"),
        help: ArgumentHelp(
            "A GGUF file, or a Hugging Face folder, of a Llama or Qwen2 model.", valueName: "model"),
        completion: .file())
    var path: String

    @Option(name: .long, help: "What is done to the cache.")
    var plan: String

    /// The model, with one thread for its matrices unless more are asked for.
    func open(_ work: WorkOptions) throws -> Model {
        try Model(URL(fileURLWithPath: path), threads: work.threads ?? 1)
    }
}
