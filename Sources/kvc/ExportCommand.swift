import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Decode a .kvc file to plain numbers, as attention sees them.",
        discussion: """
            Writes safetensors with, for every layer i and kv head h, the n entries that are left:

              layers.{i}.heads.{h}.key        [n, key_dim] f32
              layers.{i}.heads.{h}.value      [n, value_dim] f32
              layers.{i}.heads.{h}.position   [n] i32, ascending
              layers.{i}.heads.{h}.votes      [n] f32, how many tokens an entry stands for
            """
    )

    @Argument(help: ArgumentHelp("The compressed cache.", valueName: "in.kvc"), completion: .file())
    var input: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write.", valueName: "out.safetensors")
    )
    var output: String

    @Flag(name: .shortAndLong, help: "Print errors only.")
    var quiet = false

    func run() throws {
        try keepApart(inputs: [input], outputs: [output])
        let status = StatusLine("exporting \(input)", quiet: quiet)
        defer { status.end() }
        let cache = try CompressedCache(file: input)
        let layers = cache.geometry.enumerated().map { layer, geometry in
            (0..<geometry.kvHeads).map { head in
                let entries = cache.entries(layer: layer, head: head)
                return Export.Head(
                    keys: entries.keys,
                    values: entries.values,
                    positions: entries.positions,
                    votes: entries.votes
                )
            }
        }
        var metadata = cache.metadata
        metadata["plan"] = cache.plan.description
        try Export.write(layers, metadata: metadata, to: URL(fileURLWithPath: output))
    }
}
