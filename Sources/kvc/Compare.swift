import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare plans on a KV dump: what each saves, and how far attention moves.",
        discussion: """
            The last tokens are held out and the rest is compressed; scorers see only the queries before \
            them. Then the held-out queries attend over the compressed rest and their own exact keys and \
            values, causally, and the outputs are compared with those of the full cache.

            Without --plan a choice is compared from which a newcomer learns something: the full cache, \
            random and sinks + recent tokens as controls, evictions alone, with one token set per layer \
            and with KVCrush, quantizers, and combinations, merged and fitted ones among them.

            Examples:
              kvc compare in.safetensors --plot out.svg
              kvc compare in.safetensors --plan q4 --plan 'snapkv(budget=25%) | q4'
            """
    )

    @Argument(
        help: ArgumentHelp("The KV dump, with queries.", valueName: "in.safetensors"),
        completion: .file()
    )
    var input: String

    @Option(name: .long, help: "A plan to compare; repeat for more. Rows come in the order given.")
    var plan: [String] = []

    @Option(name: .long, help: ArgumentHelp("Tokens to hold out.", valueName: "n"))
    var holdout = 64

    @Option(name: .long, help: ArgumentHelp("Write the rows as JSON.", valueName: "file"))
    var json: String?

    @Option(name: .long, help: ArgumentHelp("Draw error against ratio, as SVG.", valueName: "file"))
    var plot: String?

    @OptionGroup var work: WorkOptions

    func validate() throws {
        guard holdout > 0 else { throw ValidationError("--holdout takes 1 or more tokens.") }
    }

    func run() throws {
        let plans = try (plan.isEmpty ? Comparison.defaultPlans : plan).map { try Plan(typed: $0) }
        try keepApart(inputs: [input], outputs: [json, plot])
        let status = StatusLine("reading \(input)", quiet: work.quiet)
        defer { status.end() }
        // Times are of one thread unless more are asked for: so small a step gains nothing from them.
        let workers = Workers(threads: work.threads ?? 1)
        let cache = try KVDump.read(URL(fileURLWithPath: input))
        let comparison = try naming(input) { () throws(CompressionError) in
            try Comparison(
                cache: cache,
                holdout: holdout,
                options: CompressionOptions(workers: workers)
            )
        }
        var rows: [Comparison.Row] = []
        for (index, plan) in plans.enumerated() {
            status.now("plan \(index + 1) of \(plans.count): \(plan)")
            rows.append(
                try naming(input) { () throws(CompressionError) in try comparison.row(for: plan) }
            )
        }
        status.end()
        let result = ComparisonResult(
            source: ComparisonSource(cache, holdout: holdout, threads: workers.threads),
            rows: rows
        )
        work.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
        if let plot { try write(result.plot.svg(), to: plot) }
    }
}
