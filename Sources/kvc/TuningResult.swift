import Foundation
import KVCompress

/// What `kvc tune` found, and the ways to show it.
struct TuningResult: Encodable {
    /// A plan as the search saw it, and as tokens judge that it never saw.
    struct Found: Encodable {
        let searched: Comparison.Outcome
        let unseen: Comparison.Outcome
    }

    let source: ComparisonSource
    let front: [Found]
    let winner: Found?
    let sensitivities: [Tuning.Sensitivity]
    let tried: [Comparison.Outcome]
    private let goal: String

    private enum CodingKeys: String, CodingKey {
        case source, front, winner, sensitivities, tried, goal
    }

    init(
        source: ComparisonSource, goal: Tuning.Goal, tuning: Tuning, judge: Comparison
    ) throws(CompressionError) {
        self.source = source
        self.goal =
            switch goal {
            case .ratio(let ratio): String(format: "%gx smaller than f16, or more", ratio)
            case .error(let error): String(format: "a mean error of %g%% or less", error * 100)
            }
        var front: [Found] = []
        for outcome in Self.thinned(tuning.front) {
            front.append(Found(searched: outcome, unseen: try judge.outcome(of: outcome.plan)))
        }
        self.front = front
        winner =
            if let winner = tuning.winner {
                Found(searched: winner, unseen: try judge.outcome(of: winner.plan))
            } else { nil }
        sensitivities = tuning.sensitivities
        tried = tuning.outcomes
    }

    /// At most one plan for every tenth of a ratio's growth: the best of each.
    private static func thinned(_ front: [Comparison.Outcome]) -> [Comparison.Outcome] {
        var thinned: [Comparison.Outcome] = []
        for outcome in front.reversed()
        where outcome.ratio < (thinned.last?.ratio ?? .infinity) / 1.1 {
            thinned.append(outcome)
        }
        return thinned.reversed()
    }

    // MARK: Text

    var text: String {
        """
        \(source.model)
        \(source.shape); \(source.tokens.grouped) tokens. The last \(source.holdout) were kept from the search.

        What one thing costs, by layer (mean error of attention):

        \(sensitivityTable)

        The best of \(tried.count) plans, from exact to small. Error: searched, and on the tokens kept from the search.

        \(frontTable)

        \(verdict)
        """
    }

    private var sensitivityTable: String {
        var table = Table(leading: 1)
        table.add([""] + (0..<source.layers).map { "layer \($0)" })
        for sensitivity in sensitivities {
            table.add(
                ["  \(sensitivity.plan)"]
                    + sensitivity.layerErrors.map { String(format: "%.4f", $0) })
        }
        return table.text
    }

    private var frontTable: String {
        var table = Table(leading: 1)
        table.add(["plan", "bytes", "ratio", "error", "unseen"])
        for found in front { table.add(cells(found)) }
        return table.text
    }

    private func cells(_ found: Found) -> [String] {
        [
            found.searched.plan.description, found.searched.storedBytes.grouped,
            String(format: "%.2fx", found.searched.ratio),
            String(format: "%.4f", found.searched.error),
            String(format: "%.4f", found.unseen.error),
        ]
    }

    private var verdict: String {
        guard let winner else { return "No plan that was tried gives \(goal)." }
        return """
            Best for \(goal): ratio \(String(format: "%.2fx", winner.searched.ratio)), error \
            \(String(format: "%.4f", winner.searched.error)), on unseen tokens \
            \(String(format: "%.4f", winner.unseen.error)).

              \(winner.searched.plan)

            """
    }

    // MARK: Picture

    var plot: Plot {
        Plot(
            points: front.map {
                Plot.Point(
                    plan: $0.searched.plan.description, ratio: $0.unseen.ratio,
                    error: $0.unseen.error)
            },
            caption: [
                "\(source.model): the best of \(tried.count) plans, judged by \(source.holdout) tokens that the search never saw.",
                "Down and to the right is better; the grey line joins the plans that no other beats in both.",
            ]
        )
    }
}
