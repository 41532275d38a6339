/// `Documentation/Methods.md`: all methods in one table, made from their descriptions.
public enum MethodTable {
    /// The page as Markdown, without a line end behind it.
    public static var markdown: String {
        """
        # Methods

        Every method that a plan may name, in the order of its stages. This page is written by `kvc methods --markdown`
        from the descriptions that the parser uses, and a test compares the two. What parameters mean, `kvc methods`
        says; how methods are put together, [Plans](Plans.md).

        Parameters are written with their defaults; those without one have to be given, or have a default that is
        computed. Needs are what a method reads besides keys and values: `queries` are those that the cache carries. No
        method needs a second pass over the text; where one works on keys before RoPE, RoPE is undone.

        \(table(rows))

        Every eviction with a `budget` also takes \(code(shared)).

        ## Not here, and why

        What has to train, to change a model's weights or to run on several machines is no work for a library that is
        given a finished cache. A piece of most of these works here all the same.

        \(table([["Method", "Why not", "The piece that works here"], ["---", "---", "---"]] + Absentee.all.map(\.cells)))
        """
    }

    private static var rows: [[String]] {
        let head = [
            "Method", "Stage", "What it is", "Source", "Needs", "Parameters",
            "Where it differs from its source, and why",
        ]
        let evictions = Registry.methods.filter { $0.stage == .evict }
        let others = Registry.methods.filter { $0.stage != .evict }
        return [head, head.map { _ in "---" }] + evictions.map(cells)
            + Registry.allocations.map(cells)
            + others.map(cells)
    }

    private static func cells(_ method: MethodDescription) -> [String] {
        let own = method.parameters.filter { parameter in
            method.stage != .evict || !shared.contains(text(parameter))
        }
        return cells(
            "`\(method.name)`", method.stage.rawValue, method.summary, method.source, method.needs,
            own, method.differs)
    }

    private static func cells(_ allocation: any Allocation.Type) -> [String] {
        let identity = allocation.identity
        return cells(
            "`allocate=\(identity.name)`", "evict", identity.summary, identity.source,
            identity.needs, identity.parameters, identity.differs)
    }

    private static func cells(
        _ name: String, _ stage: String, _ summary: String, _ source: String, _ needs: [Need],
        _ parameters: [ParameterDescription], _ differs: String
    ) -> [String] {
        [
            name, stage, summary, source, needs.map(\.rawValue).joined(separator: ", "),
            code(parameters.map(text)), differs,
        ]
    }

    /// What most evictions take alike.
    private static let shared: [String] = {
        let evictions = Registry.methods.filter { $0.stage == .evict }
        let all = evictions.flatMap { $0.parameters.map(text) }
        var seen: Set<String> = []
        return all.filter { text in
            2 * all.count { $0 == text } > evictions.count && seen.insert(text).inserted
        }
    }()

    private static func text(_ parameter: ParameterDescription) -> String {
        parameter.defaultText.map { "\(parameter.name)=\($0)" } ?? parameter.name
    }

    private static func code(_ words: [String]) -> String {
        words.map { "`\($0)`" }.joined(separator: ", ")
    }

    private static func table(_ rows: [[String]]) -> String {
        rows.map { row in
            let cells = row.map { $0.isEmpty ? " " : $0.replacing("|", with: "\\|") }
            return "| " + cells.joined(separator: " | ") + " |"
        }.joined(separator: "\n")
    }
}
