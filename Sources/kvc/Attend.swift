import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct Attend: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute attention on a .kvc file, as it lies.",
        discussion: """
            Every query sees every entry; logits are scaled by 1/sqrt(head_dim). The queries are those of a \
            KV dump, or any safetensors with, for every layer i,

              layers.{i}.query    [query_heads, n, head_dim], post-RoPE

            and the outputs become layers.{i}.output [query_heads, n, head_dim] in f32.
            """
    )

    @Argument(help: ArgumentHelp("The compressed cache.", valueName: "in.kvc"), completion: .file())
    var input: String

    @Option(
        name: .long,
        help: ArgumentHelp("The queries.", valueName: "q.safetensors"),
        completion: .file()
    )
    var queries: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "o.safetensors"))
    var output: String

    @OptionGroup var work: WorkOptions

    func run() throws {
        try keepApart(inputs: [input, queries], outputs: [output])
        let status = StatusLine("attending on \(input)", quiet: work.quiet)
        defer { status.end() }
        let cache = try CompressedCache(file: input)
        let layers = try QueryFile.read(URL(fileURLWithPath: queries))
        guard layers.count == cache.geometry.count else {
            throw Failure(
                description:
                    "\(queries): \(layers.count) layers of queries, but \(input) has \(cache.geometry.count)",
                status: .failure
            )
        }
        var options = AttentionOptions()
        options.workers = work.workers
        var outputs: [QueryFile.Output] = []
        for (layer, heads) in layers.enumerated() {
            status.now("attending on \(input): layer \(layer + 1) of \(layers.count)")
            let result = try naming("\(queries): layer \(layer)") { () throws(CompressionError) in
                try Self.checkFinite(heads)
                return try cache.attend(heads, layer: layer, options: options)
            }
            outputs.append(
                QueryFile.Output(
                    queryHeads: heads.count,
                    queries: heads[0].count,
                    dim: cache.geometry[layer].valueDim,
                    values: Array(result.joined())
                )
            )
        }
        try QueryFile.write(outputs: outputs, to: URL(fileURLWithPath: output))
    }

    private static func checkFinite(_ heads: [Rows]) throws(CompressionError) {
        for (head, rows) in heads.enumerated() {
            guard let index = rows.floats().firstIndex(where: { !$0.isFinite }) else { continue }
            throw CompressionError(
                .values,
                "query head \(head), query \(index / rows.dim): not finite"
            )
        }
    }
}
