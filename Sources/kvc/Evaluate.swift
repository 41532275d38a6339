import ArgumentParser
import Foundation
import KVCompress
import KVFiles
import KVHost

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Let a model answer questions over a long context with its cache compressed by plans.",
        discussion: """
            A context is read once; every plan compresses a copy of its cache before it has seen a question, \
            and every question is asked of a copy of that. The same questions are asked of the full cache, \
            and what is lost is the mean of differences, with an interval of 95% over contexts. Perplexity, KL \
            and agreement of the likeliest token are over prose behind a compressed context.

            Without --model the small model that is part of kvc answers; without --plan a choice is made \
            from which a newcomer learns something. --cases reads anybody's own, a JSON object a line: \
            {"context": [ids], "questions": [{"tokens": [ids], "answer": [ids]}]}. Documentation/Tasks.md \
            has the small model's vocabulary.

            Examples:
              kvc evaluate
              kvc evaluate --plan 'h2o(budget=25%)' --plan 'kvmerger(budget=50%) | q4' --tasks recall,lookup
            """
    )

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A GGUF file, or a Hugging Face folder; it needs --cases, or the small model's vocabulary.",
            valueName: "model"))
    var model: String?

    @Option(name: .long, help: "A plan to evaluate; repeat for more. The full cache comes first.")
    var plan: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Tasks: recall, lookup, fewshot, repeated, perplexity.", valueName: "a,b,...")
    )
    var tasks = "recall,lookup,fewshot,repeated,perplexity"

    @Option(name: .long, help: ArgumentHelp("Sets of contexts.", valueName: "n"))
    var seeds = 3

    @Option(name: .long, help: ArgumentHelp("The first set.", valueName: "n"))
    var seed = 1

    @Option(name: .long, help: ArgumentHelp("Contexts of each task and set.", valueName: "n"))
    var contexts = 6

    @Option(
        name: .long, help: ArgumentHelp("Questions of a context, all different.", valueName: "n"))
    var questions = 20

    @Option(name: .long, help: ArgumentHelp("Tokens of a context.", valueName: "n"))
    var length = 1024

    @Option(
        name: .long,
        help: ArgumentHelp("Ask one in so many questions in advance, too; 0: none.", valueName: "n")
    )
    var known = 8

    @Option(name: .long, help: ArgumentHelp("Cases of your own, JSON lines.", valueName: "file"))
    var cases: String?

    @Option(name: .long, help: ArgumentHelp("Write the results as JSON.", valueName: "file"))
    var json: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Draw answers lost against ratio, as SVG.", valueName: "file"))
    var plot: String?

    @OptionGroup var work: WorkOptions

    func validate() throws {
        for (name, number, least) in [
            ("--seeds", seeds, 1), ("--contexts", contexts, 1), ("--questions", questions, 1),
            ("--length", length, 64), ("--known", known, 0),
        ] where number < least {
            throw ValidationError("\(name) takes \(least) or more.")
        }
        guard length <= 8192 else { throw ValidationError("--length takes 64...8192.") }
        for name in tasks.split(separator: ",") where name != "perplexity" {
            guard TaskKind(rawValue: String(name)) != nil else {
                throw ValidationError(
                    "--tasks: '\(name)' is no task; expected recall, lookup, fewshot, repeated or perplexity."
                )
            }
        }
        guard !tasks.isEmpty else { throw ValidationError("--tasks takes at least one task.") }
    }

    func run() throws {
        let plans = try (plan.isEmpty ? Self.plans : plan).map { try Plan(typed: $0) }
        try keepApart(inputs: [model, cases].compactMap(\.self), outputs: [json, plot])
        let status = StatusLine("opening the model", quiet: work.quiet)
        defer { status.end() }
        let model = try EmbeddedModel.model(model)
        let cases = try self.cases.map { try read($0, model) } ?? made(for: model)
        var options = Evaluation.Options()
        options.knownEvery = known
        options.workers = work.workers
        let evaluation = Evaluation(
            model, cases: cases, passages: passages(for: model, options), options: options)
        let results = try naming(self.model ?? "the embedded model") {
            () throws(CompressionError) in
            try evaluation.run(plans) { status.now("context \($0) of \($1)") }
        }
        status.end()
        let result = EvaluationResult(
            model: self.model ?? "the embedded model", contexts: cases.count,
            length: cases.map(\.context.count).max() ?? 0, known: known, plans: results)
        work.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
        if let plot { try write(result.plot.svg(), to: plot) }
    }

    /// The full cache comes first by itself.
    static let plans = [
        "random(budget=25%, tokens=layer)", "streaming(budget=25%)",
        "snapkv(budget=25%, tokens=layer)", "h2o(budget=25%, tokens=layer)",
        "h2o(budget=25%) | kvcrush(share=25%)", "keydiff(budget=25%, tokens=layer)",
        "kvmerger(budget=50%)", "q8", "q4(rotate=hadamard)",
        "keydiff(budget=46%, tokens=layer) | q8", "keydiff(budget=43%, tokens=layer) | q4",
        "keydiff(budget=21%, tokens=layer) | q4",
    ]

    private func made(for model: Model) throws -> [Case] {
        guard model.vocabulary == SmallVocabulary.count else {
            throw Failure(
                description:
                    "\(self.model ?? ""): has \(model.vocabulary) tokens, and the tasks are made of the small "
                    + "model's \(SmallVocabulary.count); expected --cases with token ids of this model",
                status: .validationFailure)
        }
        let prose = EmbeddedModel.prose
        let kinds = tasks.split(separator: ",").compactMap { TaskKind(rawValue: String($0)) }
        return kinds.enumerated().flatMap { number, kind in
            (seed..<seed + seeds).flatMap { seed in
                var random = SplitMix(seed: 1000 * seed + number)
                return (0..<contexts).map { _ in
                    kind.make(
                        length: length, questions: questions, prose: prose, random: &random)
                }
            }
        }
    }

    private func passages(for model: Model, _ options: Evaluation.Options) -> [[Int]] {
        guard cases == nil, tasks.split(separator: ",").contains("perplexity"),
            model.vocabulary == SmallVocabulary.count
        else { return [] }
        let prose = EmbeddedModel.prose, length = options.prose.context + options.prose.judged - 1
        return stride(from: 0, through: prose.count - length, by: length).map {
            [SmallVocabulary.start] + prose[$0..<$0 + length]
        }
    }

    private func read(_ path: String, _ model: Model) throws -> [Case] {
        let file = try MappedFile(URL(fileURLWithPath: path))
        let text = String(decoding: file.bytes, as: UTF8.self)
        var cases: [Case] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        where !line.allSatisfy(\.isWhitespace) {
            func fail(_ what: String) -> Failure {
                Failure(description: "\(path), line \(number + 1): \(what)", status: .failure)
            }
            let found: Case
            do {
                found = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            } catch {
                throw fail(
                    "is no case; expected {\"context\": [ids], \"questions\": [{\"tokens\": [ids], \"answer\": [ids]}]}"
                )
            }
            guard !found.context.isEmpty, !found.questions.isEmpty,
                found.questions.allSatisfy({ !$0.tokens.isEmpty && !$0.answer.isEmpty })
            else { throw fail("a context, a question or an answer without tokens") }
            let ids = found.context + found.questions.flatMap { $0.tokens + $0.answer }
            if let id = ids.first(where: { !(0..<model.vocabulary).contains($0) }) {
                throw fail("token \(id); the model's are 0..<\(model.vocabulary)")
            }
            cases.append(found)
        }
        guard !cases.isEmpty else {
            throw Failure(description: "\(path): holds no cases", status: .failure)
        }
        return cases
    }
}
