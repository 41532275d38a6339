import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct SurveyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "survey",
        abstract: "Look in a KV dump for what the published methods rest on.",
        discussion: """
            Each method was built on something that its authors saw in the caches of their models: keys of \
            neighbours that are alike, layers that are alike, attention that falls on few tokens, keys of few \
            dimensions, channels and tokens that stand out. This says how much of each your cache has, layer \
            by layer, and which methods that favours. 'kvc compare' then measures these.

            Examples:
              kvc survey in.safetensors
              kvc survey in.safetensors --plot survey.svg --json survey.json
            """
    )

    @Argument(help: ArgumentHelp("The KV dump.", valueName: "in.safetensors"), completion: .file())
    var input: String

    @Option(name: .long, help: ArgumentHelp("Write all numbers as JSON.", valueName: "file"))
    var json: String?

    @Option(name: .long, help: ArgumentHelp("Draw them, as SVG.", valueName: "file"))
    var plot: String?

    @OptionGroup var work: WorkOptions

    func run() throws {
        try keepApart(inputs: [input], outputs: [json, plot])
        let status = StatusLine("surveying \(input)", quiet: work.quiet)
        defer { status.end() }
        let cache = try KVDump.read(URL(fileURLWithPath: input))
        let survey = try naming(input) { () throws(CompressionError) in
            try Survey(of: cache, options: CompressionOptions(workers: work.workers))
        }
        status.end()
        let result = SurveyResult(survey, of: cache)
        work.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
        if let plot { try write(result.panels.svg(), to: plot) }
    }
}
