import ArgumentParser
import Foundation
import KVCompress

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the speed of this machine's kernels, beside what its memory delivers.",
        discussion: """
            Every work is checked against a naive reference first; one that is off is not timed. Then works \
            take turns for so many rounds, each walking over 432 MiB of copies, so that no cache serves them, and \
            the bandwidth is read in each round. Times are medians; spread is half of the range between \
            the quartiles, in percent of the median.

            attend   one decode step of one layer, on its compressed cache, for every --codec
            encode   writing layers in f32, as --codec does it and by its codec alone, beside memcpy
            select   signatures' distances, KVCrush's choice beside the prefill, KVMerger, MiniCache
            prefill  causal attention of a prompt over itself, and attention received on top
            step     what a session's decode step costs beside its kernels
            batch    tokens a second at the largest batch that fits a memory, f16 against --codec
            place    attention that reads few values, in memory and when they are in a cold file

            Examples:
              kvc bench attend --codec q4 --tokens 32768
              kvc bench attend --codec f16 --codec 'keydiff(budget=25%) | q4' --tokens 4k --tokens 32k
            """
    )

    @Argument(help: ArgumentHelp("What to measure.", valueName: "work"))
    var work: BenchWork = .all

    @OptionGroup var shape: BenchShape

    @Option(
        name: .long, help: ArgumentHelp("Rounds; each work has its own default.", valueName: "n"))
    var `repeat`: Int?

    @Option(name: .long, help: ArgumentHelp("Write JSON; '-' prints it.", valueName: "file"))
    var json: String?

    @OptionGroup var options: WorkOptions

    func validate() throws {
        guard `repeat`.map({ (1...10_000).contains($0) }) ?? true else {
            throw ValidationError("--repeat takes 1...10000.")
        }
        guard shape.codec.isEmpty || work.takesCodec else {
            throw ValidationError(
                "'\(work.rawValue)' has its own plans; --codec goes with attend, encode, step, batch or place."
            )
        }
        guard shape.tokens.isEmpty || work.takesTokens else {
            throw ValidationError(
                "'\(work.rawValue)' has its own sizes; --tokens goes with attend, encode, select, prefill, batch or place."
            )
        }
    }

    func run() throws {
        let status = StatusLine("reading the bandwidth", quiet: options.quiet)
        defer { status.end() }
        let sitting = Sitting(
            threads: options.workers.threads, rounds: `repeat`, status: status)
        let works = work == .all ? BenchWork.allCases.filter { $0 != .all } : [work]
        for work in works { try work.run(shape, sitting) }
        status.end()
        let result = BenchResult(sitting)
        if json == "-" { return print(try jsonText(result)) }
        options.say(result.text)
        if let json { try write(jsonText(result) + "\n", to: json) }
    }
}

/// What can be measured.
enum BenchWork: String, CaseIterable, ExpressibleByArgument {
    case attend, encode, select, prefill, step, batch, place, all

    /// Whether plans may be chosen.
    var takesCodec: Bool { ![.select, .prefill, .all].contains(self) }
    /// Whether sizes may be chosen.
    var takesTokens: Bool { ![.step, .all].contains(self) }

    func run(_ shape: BenchShape, _ sitting: Sitting) throws {
        switch self {
        case .attend: try AttendBench(shape).run(sitting)
        case .encode: try EncodeBench(shape).run(sitting)
        case .select: try SelectBench(shape).run(sitting)
        case .prefill: try PrefillBench(shape).run(sitting)
        case .step: try StepBench(shape).run(sitting)
        case .batch: try BatchBench(shape).run(sitting)
        case .place: try PlaceBench(shape).run(sitting)
        case .all: break
        }
    }
}

/// What is measured: the shape of a layer, the plans and the kernels.
struct BenchShape: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("Tokens, such as 4096 or 4k; repeat for more.", valueName: "n"))
    var tokens: [TokenCount] = []

    @Option(name: .long, help: "A plan; repeat for more.")
    var codec: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("A level of the kernels; repeat for more.", valueName: "level"),
        transform: BenchShape.level)
    var isa: [InstructionSet] = []

    @Option(name: .long, help: ArgumentHelp("Query and kv heads.", valueName: "q/kv"))
    var heads = HeadCounts(query: 32, kv: 8)

    @Option(name: .long, help: ArgumentHelp("Elements of a key and a value.", valueName: "n"))
    var dim = 128

    @Flag(name: .long, help: "One copy of each cache, beside the bandwidth of so few bytes.")
    var cached = false

    func validate() throws {
        guard (1...1024).contains(dim) else { throw ValidationError("--dim takes 1...1024.") }
    }

    /// A level that this machine runs.
    private static func level(_ name: String) throws -> InstructionSet {
        guard let level = InstructionSet(rawValue: name), InstructionSet.supported.contains(level)
        else {
            throw ValidationError(
                "'\(name)' is no level of this machine; it has "
                    + InstructionSet.supported.map(\.rawValue).joined(separator: ", ") + ".")
        }
        return level
    }

    /// The levels to measure.
    var levels: [InstructionSet] { isa.isEmpty ? [.best] : isa }

    /// What bytes are held against: so few of them where caches may serve them.
    func yardstick(_ kind: Yardstick.Kind, threads: Int, bytes: Int) -> Yardstick {
        Yardstick(
            kind: kind, threads: threads,
            byteCount: cached ? min(max(4096, bytes), Bandwidth.workingSet) : Bandwidth.workingSet)
    }

    /// The token counts to measure.
    func tokens(default count: Int...) -> [Int] { tokens.isEmpty ? count : tokens.map(\.count) }

    /// The plans to measure.
    func plans(default texts: String...) throws -> [Plan] {
        try (codec.isEmpty ? texts : codec).map { try Plan(typed: $0) }
    }
}

/// A number of tokens: 32768, or 32k.
struct TokenCount: ExpressibleByArgument {
    let count: Int

    init?(argument: String) {
        let thousands = argument.lowercased().hasSuffix("k")
        guard let number = Int(thousands ? String(argument.dropLast()) : argument),
            (1...1 << 20).contains(number)
        else { return nil }
        count = number * (thousands ? 1024 : 1)
        guard count <= 1 << 20 else { return nil }
    }
}

/// Query and kv heads: 32/8.
struct HeadCounts: ExpressibleByArgument, CustomStringConvertible {
    let query: Int
    let kv: Int

    init(query: Int, kv: Int) { (self.query, self.kv) = (query, kv) }

    init?(argument: String) {
        let numbers = argument.split(separator: "/", omittingEmptySubsequences: false).map {
            Int($0)
        }
        guard numbers.count == 2, let query = numbers[0], let kv = numbers[1], query > 0, kv > 0,
            query % kv == 0, query / kv <= 16, query <= 1024
        else { return nil }
        self.init(query: query, kv: kv)
    }

    /// Query heads per kv head.
    var group: Int { query / kv }

    var description: String { "\(query)/\(kv)" }
}
