import Foundation
import KVCompress

/// What was compared.
struct ComparisonSource: Encodable {
    let model: String
    let tokens: Int
    let holdout: Int
    let threads: Int
    let instructionSet = InstructionSet.best
    let layers: Int
    let shape: String

    private enum CodingKeys: String, CodingKey {
        case model, tokens, holdout, threads, layers
        case instructionSet = "instruction_set"
    }

    init(_ cache: Cache, holdout: Int, threads: Int) {
        let geometry = cache.layers[0].geometry
        let queryHeads = geometry.kvHeads * (cache.layers[0].group ?? 1)
        model = cache.metadata["model"] ?? "a model that the file does not name"
        tokens = cache.tokens
        self.holdout = holdout
        self.threads = threads
        layers = cache.layers.count
        shape =
            "\(layers) layers, \(queryHeads) query heads on \(geometry.kvHeads) kv heads, head dim \(geometry.keyDim)"
    }
}

/// The rows of a comparison, and the ways to show them.
struct ComparisonResult: Encodable {
    let source: ComparisonSource
    let rows: [Comparison.Row]

    /// A row's report and its own numbers side by side.
    private struct FlatRow: Encodable {
        let row: Comparison.Row

        private enum CodingKeys: String, CodingKey {
            case cosine, mass
            case errorMean = "error_mean"
            case errorWorst = "error_worst"
            case compressMilliseconds = "compress_ms"
            case attendNanoseconds = "attend_ns_per_query"
            case valueBytesPerStep = "value_bytes_per_step"
            case massCovered = "mass_covered"
        }

        func encode(to encoder: any Encoder) throws {
            try row.report.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(row.errorMean, forKey: .errorMean)
            try container.encode(row.errorWorst, forKey: .errorWorst)
            try container.encode(row.cosine, forKey: .cosine)
            try container.encode(row.mass, forKey: .mass)
            try container.encode(row.compressMilliseconds, forKey: .compressMilliseconds)
            try container.encode(row.attendNanosecondsPerQuery, forKey: .attendNanoseconds)
            try container.encodeIfPresent(row.valueBytesPerStep, forKey: .valueBytesPerStep)
            try container.encodeIfPresent(row.massCovered, forKey: .massCovered)
        }
    }

    private enum CodingKeys: String, CodingKey { case source, plans }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(source, forKey: .source)
        try container.encode(rows.map(FlatRow.init), forKey: .plans)
    }

    // MARK: Text

    var text: String {
        """
        \(source.model)
        \(source.shape); \(source.tokens.grouped) tokens, of which \
        \((source.tokens - source.holdout).grouped) are compressed and the last \(source.holdout) held out.

        \(table)

        error: |O - O_full| / |O_full| of a query head in a layer, mean and worst; cosine: of the same outputs.
        mass: the full cache's attention on tokens of which an entry is made. Ratio: against f16, all side data counted.
        Times: \(source.threads == 1 ? "one thread" : "\(source.threads) threads"), \(source.instructionSet); \
        attend is one query of one head, decoding token by token.
        \(placed)\(caution)
        """
    }

    /// What plans read of what they keep, of those that do not read all.
    private var placed: String {
        rows.enumerated().compactMap { index, row in
            guard let bytes = row.valueBytesPerStep, let mass = row.massCovered else { return nil }
            let mapped =
                row.report.mappedBytes > 0
                ? "\(row.report.residentBytes.grouped) bytes resident, \(row.report.mappedBytes.grouped) in files; "
                : ""
            return
                "Plan \(index + 1): \(mapped)decoding a token reads \(bytes.grouped) bytes of values, "
                + "on which \(percent(mass)) of the attention falls.\n"
        }.joined()
    }

    /// So that nobody learns the wrong thing from a short text.
    private var caution: String {
        guard source.tokens < 4096 else { return "" }
        return """

            Read with care: \(source.tokens) tokens are few. Over a text this short models attend to what is near, so that
            keeping the sinks and the most recent tokens (streaming) is a strong rival, and evictions differ little.
            Long contexts and larger models rank plans differently: Tools/dump_kv.py dumps the cache of yours.

            """
    }

    private var table: String {
        var table = Table(leading: 2)
        table.add([
            "", "plan", "bytes", "ratio", "bits", "kept", "error", "worst", "cosine", "mass",
            "compress", "attend",
        ])
        table.add(["", "", "", "", "/value", "", "", "", "", "", "ms", "ns/query"])
        for (index, row) in rows.enumerated() {
            let report = row.report
            func number(_ format: String, _ value: Double) -> String {
                String(format: format, value)
            }
            let lines = planLines(report.plan, limit: 52)
            table.add([
                String(repeating: " ", count: index < 9 ? 1 : 0) + "\(index + 1)", lines[0],
                report.storedBytes.grouped, number("%.2fx", report.ratio),
                number("%.2f", report.bitsPerValue),
                percent(report.kept.mean), number("%.4f", row.errorMean),
                number("%.4f", row.errorWorst),
                number("%.4f", row.cosine), percent(row.mass),
                number("%.2f", row.compressMilliseconds),
                number("%.0f", row.attendNanosecondsPerQuery),
            ])
            for line in lines.dropFirst() { table.add(["", line]) }
        }
        return table.text
    }

    // MARK: Picture

    var plot: Plot {
        Plot(
            points: rows.map {
                Plot.Point(plan: $0.report.plan, ratio: $0.report.ratio, error: $0.errorMean)
            },
            caption: [
                "\(source.model): \(source.tokens.grouped) tokens, the last \(source.holdout) held out to judge.",
                "Down and to the right is better; the grey line joins the plans that no other beats in both.",
            ]
        )
    }
}
