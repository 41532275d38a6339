import ArgumentParser
import KVCompress

struct Methods: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what a plan may name, with parameters and sources.",
        discussion: """
            A plan has at most one method of each stage, in the order of this list, joined by '|'. \
            Parameters follow in parentheses: h2o(budget=25%, sinks=4) | q4(rotate=hadamard).
            """)

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        print(json ? try jsonText(["methods": Plan.methods]) : Self.text)
    }

    private static var text: String {
        let stages = Stage.allCases.map { stage in (stage, Plan.methods.filter { $0.stage == stage }) }
        return stages.filter { !$0.1.isEmpty }.map { stage, methods in
            "\(stage.rawValue.uppercased())\n\n" + methods.map(describe).joined(separator: "\n\n")
        }.joined(separator: "\n\n")
    }

    private static func describe(_ method: MethodDescription) -> String {
        var table = Table(leading: 4)
        for parameter in method.parameters {
            let value = parameter.isRequired ? "required" : parameter.defaultText.map { "default \($0)" } ?? ""
            table.add(["     ", parameter.name, value, "\(parameter.summary); \(parameter.kind.expected)"])
        }
        let needs = method.needs.isEmpty ? "" : " Needs \(method.needs.map(\.rawValue).joined(separator: ", "))."
        return "  \(method.name): \(method.summary)\(needs)\n     \(method.source)"
            + (method.parameters.isEmpty ? "" : "\n" + table.text)
    }
}
