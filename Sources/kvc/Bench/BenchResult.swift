import Foundation
import KVCompress

/// Numbers that only some works have.
struct BenchFigures: Encodable {
    var queryHeads: Int?
    var kvHeads: Int?
    var dim: Int?
    /// f16 bytes by stored bytes.
    var ratio: Double?
    /// Floating-point operations a second, in thousands of millions.
    var gigaflops: Double?
    var tokensPerSecond: Double?
    /// Sequences whose caches fit the memory.
    var batch: Int?
    /// Times as fast as what the note names.
    var speedup: Double?
    /// Time in percent of that of what the note names.
    var percent: Double?
    var microsecondsPerLayer: Double?
    var allocationsPerStep: Double?
    /// What the numbers are about, for people.
    var note: String?

    enum CodingKeys: String, CodingKey {
        case dim, ratio, batch, speedup, percent, note
        case queryHeads = "query_heads"
        case kvHeads = "kv_heads"
        case gigaflops = "gflop_per_s"
        case tokensPerSecond = "tokens_per_second"
        case microsecondsPerLayer = "microseconds_per_layer"
        case allocationsPerStep = "allocations_per_step"
    }
}

extension BenchFigures {
    /// What a table has no columns for.
    fileprivate var text: String {
        func number(_ format: String, _ value: Double?) -> String? {
            value.map { String(format: format, $0) }
        }
        let words = [
            number("%.0f GFLOP/s", gigaflops), number("%.1f us a layer", microsecondsPerLayer),
            number("%.1f allocations", allocationsPerStep), batch.map { "batch \($0)" },
            number("%.1f tokens/s", tokensPerSecond), number("%.2fx", speedup),
            number(percent.map { $0 < 1 ? "%.3f%%" : "%.1f%%" } ?? "", percent), note,
        ]
        return words.compactMap(\.self).joined(separator: ", ")
    }
}

/// What `kvc bench` found, and the ways to show it.
struct BenchResult: Encodable {
    struct Row: Encodable {
        let work: String
        let codec: String
        let tokens: Int
        let isa: InstructionSet
        let threads: Int
        let milliseconds: Double
        /// Half of the range between the quartiles, in percent of the median.
        let spread: Double
        /// Bytes that a step must move at least, by its time; nil where bytes are not what takes time.
        let rate: Double?
        /// Of the bandwidth read beside it.
        let share: Double?
        let yardstick: Yardstick?
        /// In bytes a second.
        let bandwidth: Double?
        let figures: BenchFigures

        /// - Parameters:
        ///   - seconds: of each step, round after round.
        ///   - mean: of the steps' medians, for a unit.
        init(
            _ contestant: Contestant, seconds: [[Double]], mean: Double, bandwidth: Double?,
            figures: BenchFigures
        ) {
            work = contestant.work
            codec = contestant.codec
            tokens = contestant.tokens
            isa = contestant.isa
            threads = contestant.threads
            milliseconds = 1e3 * mean
            // Steps may differ in size: each in units of its own median.
            spread = seconds.flatMap { times in times.map { $0 / times.median } }.spread
            yardstick = contestant.yardstick
            self.bandwidth = bandwidth
            let bytes =
                Double(contestant.bytes.reduce(0, +))
                / Double(contestant.bytes.count * contestant.units)
            rate = yardstick == nil ? nil : bytes / mean
            share = bandwidth.map { bytes / mean / $0 }
            self.figures = figures
        }

        private enum CodingKeys: String, CodingKey {
            case work, codec, tokens, isa, threads, milliseconds, spread
            case rate = "gb_per_s"
            case share = "share_of_bandwidth"
            case kind = "bandwidth"
            case bandwidth = "bandwidth_gb_per_s"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(work, forKey: .work)
            try container.encode(codec, forKey: .codec)
            try container.encode(tokens, forKey: .tokens)
            try container.encode(isa, forKey: .isa)
            try container.encode(threads, forKey: .threads)
            try container.encode(milliseconds, forKey: .milliseconds)
            try container.encode(spread, forKey: .spread)
            try container.encode(rate.map { $0 / 1e9 }, forKey: .rate)
            try container.encode(share, forKey: .share)
            try container.encode(yardstick?.kind.rawValue, forKey: .kind)
            try container.encode(bandwidth.map { $0 / 1e9 }, forKey: .bandwidth)
            try figures.encode(to: encoder)
        }
    }

    let cpu = Machine.cpu
    /// In bytes a second, all threads.
    let readBandwidth: Double
    let threads: Int
    let results: [Row]

    init(_ sitting: Sitting) {
        readBandwidth = sitting.readBandwidth()
        threads = sitting.threads
        results = sitting.results
    }

    private enum CodingKeys: String, CodingKey {
        case cpu, threads, results
        case readBandwidth = "read_bandwidth_gb_per_s"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(cpu, forKey: .cpu)
        try container.encode(readBandwidth / 1e9, forKey: .readBandwidth)
        try container.encode(threads, forKey: .threads)
        try container.encode(results, forKey: .results)
    }

    // MARK: Text

    var text: String {
        """
        \(cpu), \(threads) thread\(threads == 1 ? "" : "s"); read bandwidth \
        \(String(format: "%.1f", readBandwidth / 1e9)) GB/s

        \(table)

        Medians; spread: half of the range between the quartiles. Share: of the bandwidth read in the same rounds, \
        by as many threads.
        """
    }

    private var table: String {
        var table = Table(leading: 2)
        table.add([
            "work", "codec", "tokens", "isa", "threads", "ms", "spread", "GB/s", "share", "of", "",
        ])
        let width = results.map(\.figures.text.count).max() ?? 0
        for row in results {
            let lines = planLines(row.codec, limit: 44), words = row.figures.text
            table.add([
                row.work, lines[0], row.tokens.grouped, row.isa.rawValue, "\(row.threads)",
                String(format: row.milliseconds < 10 ? "%.3f" : "%.1f", row.milliseconds),
                String(format: "+-%.0f%%", row.spread),
                row.rate.map { String(format: "%.1f", $0 / 1e9) } ?? "",
                row.share.map { String(format: "%.0f%%", 100 * $0) } ?? "",
                row.yardstick.map {
                    $0.byteCount == Bandwidth.workingSet ? $0.kind.rawValue : "cache"
                } ?? "",
                words + String(repeating: " ", count: width - words.count),
            ])
            for line in lines.dropFirst() { table.add(["", line]) }
        }
        return table.text
    }
}

/// What the computer says of itself.
enum Machine {
    /// The processor's name.
    static let cpu: String = {
        #if canImport(Darwin)
            var size = 0
            sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0)
            var name = [UInt8](repeating: 0, count: max(size, 1))
            sysctlbyname("machdep.cpu.brand_string", &name, &size, nil, 0)
            return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        #else
            let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            // Arm's kernel gives numbers only.
            for key in ["model name", "CPU part"] {
                for line in lines.split(separator: "\n") where line.hasPrefix(key) {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                }
            }
            return "an unnamed processor"
        #endif
    }()
}
