import ArgumentParser
import KVCompress

struct Methods: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what a plan may name, with parameters and sources.",
        discussion: """
            A plan has at most one method of each stage, in the order of this list, joined by '|'. \
            Parameters follow in parentheses: h2o(budget=25%, sinks=4) | q4(rotate=hadamard).
            """
    )

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @Flag(
        name: .long,
        help: "Print one table in Markdown, with where methods differ from their sources.")
    var markdown = false

    func validate() throws {
        guard !(json && markdown) else {
            throw ValidationError("--json and --markdown exclude each other.")
        }
    }

    func run() throws {
        print(
            json
                ? try jsonText(["methods": Plan.methods])
                : markdown ? MethodTable.markdown : Self.text
        )
    }

    private static var text: String {
        Stage.allCases.compactMap { stage in
            let methods = Plan.methods.filter { $0.stage == stage }
            return methods.isEmpty ? nil : describe(stage, methods)
        }.joined(separator: "\n\n")
    }

    /// A stage's methods; what most of them take alike is told once, at the end.
    private static func describe(_ stage: Stage, _ methods: [MethodDescription]) -> String {
        let all = methods.flatMap { $0.parameters.map(line) }
        let shared = Set(
            all.filter { line in all.count { $0 == line } > max(1, methods.count / 2) }
        )
        let own = methods.map { method in
            let needs =
                method.needs.isEmpty
                ? "" : " (needs \(method.needs.map(\.rawValue).joined(separator: ", ")))"
            let lines = method.parameters.map(line).filter { !shared.contains($0) }
            return "  \(method.name): \(method.summary)\(needs)\n    \(method.source)"
                + table(lines)
        }
        let common =
            shared.isEmpty ? [] : ["  unless told otherwise above" + table(ordered(shared, all))]
        return stage.rawValue.uppercased() + "\n\n" + (own + common).joined(separator: "\n\n")
    }

    private static func ordered(_ shared: Set<[String]>, _ all: [[String]]) -> [[String]] {
        var seen: Set<[String]> = []
        return all.filter { shared.contains($0) && seen.insert($0).inserted }
    }

    private static func line(_ parameter: ParameterDescription) -> [String] {
        let value =
            parameter.isRequired ? "required" : parameter.defaultText.map { "= \($0)" } ?? ""
        return ["   ", parameter.name, value, "\(parameter.summary) [\(parameter.kind.expected)]"]
    }

    private static func table(_ lines: [[String]]) -> String {
        var table = Table(leading: 4)
        for line in lines { table.add(line) }
        return lines.isEmpty ? "" : "\n" + table.text
    }
}
