import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct Compress: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compress a KV dump into a .kvc file.",
        discussion: """
            Applies a plan to every layer of a dump (safetensors, as Tools/dump_kv.py writes it), stores the \
            compressed cache and prints what every byte of it is.

            Examples:
              kvc compress in.safetensors --plan q8 -o out.kvc
              kvc compress in.safetensors --plan 'snapkv(budget=25%) | q4' -o out.kvc
              kvc compress in.safetensors --plan 'h2o(budget=64MiB) | kvcrush' -o out.kvc
              kvc compress in.safetensors --plan q8 --pack -o out.kvc
            """
    )

    @Argument(help: ArgumentHelp("The KV dump.", valueName: "in.safetensors"), completion: .file())
    var input: String

    @Option(name: .long, help: "The plan; quote it. 'kvc methods' lists what it may name.")
    var plan: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "out.kvc"))
    var output: String

    @Option(name: .long, help: ArgumentHelp("Write the report as JSON, too.", valueName: "r.json"))
    var report: String?

    @Flag(
        name: .long,
        help:
            "Pack the file without loss (zstd): smaller on disk, slower to open, the same in memory."
    )
    var pack = false

    @OptionGroup var work: WorkOptions

    func run() throws {
        let plan = try Plan(typed: plan)
        try keepApart(inputs: [input], outputs: [output, report])
        let status = StatusLine("compressing \(input)", quiet: work.quiet)
        defer { status.end() }
        let cache = try KVDump.read(URL(fileURLWithPath: input))
        let compressed = try naming(input) { () throws(CompressionError) in
            try plan.compress(cache, options: CompressionOptions(workers: work.workers))
        }
        status.now("writing \(output)")
        let url = URL(fileURLWithPath: output)
        try Container.write(
            compressed.archive(),
            metadata: compressed.metadata,
            to: url,
            pack: pack
        )
        if let report { try write(jsonText(compressed.report) + "\n", to: report) }
        status.end()
        work.say(compressed.report.text(file: "\(try MappedFile(url).byteCount.grouped) bytes"))
    }
}
