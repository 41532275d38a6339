import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Search the plan that suits a KV dump at a ratio or an error.",
        discussion: """
            Hundreds of plans are measured on the dump: evictions, merging, bits of keys and of values, fitted \
            and not. Each is judged at three places of the text, spread over the second half of the queries: what \
            stands before the place is compressed, and the tokens behind it judge. The search never sees the \
            dump's last tokens; the plans of the front are judged by these.

            A search takes minutes: about one of CPU time for 512 tokens, 5 layers and 4 kv heads. It grows with \
            layers and heads, and at least with the square of the tokens, as every plan observes them all.

            Examples:
              kvc tune in.safetensors --target 8x
              kvc tune in.safetensors --max-error 1% --plot tune.svg
            """
    )

    @Argument(
        help: ArgumentHelp("The KV dump, with queries.", valueName: "in.safetensors"),
        completion: .file()
    )
    var input: String

    @Option(
        name: .long,
        help: ArgumentHelp("The smallest ratio against f16 (default: 8x).", valueName: "8x"),
        transform: Tune.ratio
    )
    var target: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The largest mean error of attention, in the place of a ratio.", valueName: "1%"),
        transform: Tune.error
    )
    var maxError: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Tokens that judge at each place while searching, and as many that the search never sees.",
            valueName: "n")
    )
    var holdout = 32

    @Option(name: .long, help: ArgumentHelp("Write all plans tried as JSON.", valueName: "file"))
    var json: String?

    @Option(name: .long, help: ArgumentHelp("Draw error against ratio, as SVG.", valueName: "file"))
    var plot: String?

    @OptionGroup var work: WorkOptions

    private static func ratio(_ text: String) throws -> Double {
        guard let ratio = Double(text.hasSuffix("x") ? String(text.dropLast()) : text), ratio > 1,
            ratio.isFinite
        else { throw ValidationError("'\(text)' is no ratio; expected one above 1, such as 8x") }
        return ratio
    }

    private static func error(_ text: String) throws -> Double {
        guard text.hasSuffix("%"), let error = Double(text.dropLast()), error > 0, error <= 100
        else { throw ValidationError("'\(text)' is no error; expected one such as 1%") }
        return error / 100
    }

    func validate() throws {
        guard holdout > 0 else { throw ValidationError("--holdout takes 1 or more tokens.") }
        guard target == nil || maxError == nil else {
            throw ValidationError("--target and --max-error exclude each other.")
        }
    }

    func run() throws {
        try keepApart(inputs: [input], outputs: [json, plot])
        let status = StatusLine("reading \(input)", quiet: work.quiet)
        defer { status.end() }
        let cache = try KVDump.read(URL(fileURLWithPath: input))
        guard holdout < cache.tokens - holdout else {
            throw Failure(
                description:
                    "\(input): \(cache.tokens) tokens are too few to hold out twice \(holdout)",
                status: .failure)
        }
        let goal: Tuning.Goal = maxError.map { .error($0) } ?? .ratio(target ?? 8)
        let options = CompressionOptions(workers: work.workers)
        let result = try naming(input) { () throws(CompressionError) in
            let tuning = try Tuning(
                Comparison.spread(
                    over: cache.prefix(cache.tokens - holdout), holdout: holdout, options: options),
                goal: goal
            ) { status.now("\($0) plans measured") }
            let judge = try Comparison(cache: cache, holdout: holdout, options: options)
            return try TuningResult(
                source: ComparisonSource(cache, holdout: holdout, threads: options.workers.threads),
                goal: goal, tuning: tuning, judge: judge)
        }
        status.end()
        work.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
        if let plot { try write(result.plot.svg(), to: plot) }
        guard result.winner != nil else {
            throw Failure(
                description: "\(input): no plan that was tried reaches the goal", status: .failure)
        }
    }
}
