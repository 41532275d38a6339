import Foundation
import KVHost

/// What plans made of an evaluation, and the ways to show it.
struct EvaluationResult: Encodable {
    let model: String
    let contexts: Int
    let length: Int
    let known: Int
    let plans: [PlanResult]

    private enum CodingKeys: String, CodingKey { case model, contexts, length, plans }

    var text: String {
        let questions = plans[0].questions
        return """
            \(model): \(questions.grouped) questions over \(contexts) contexts of up to \(length.grouped) tokens, the same for every plan.

            \(table)

            acc: right answers in percent, the mean over tasks, questions unknown when the context was compressed; lost: points less than
            the full cache on the same questions, with an interval of 95% over contexts. \
            \(known > 0 ? "known: one in \(known) of the questions, observed when the context was compressed.\n" : "\n")\
            Ratio: against f16, all side data counted, what a scorer keeps to go on included. Times: one context, one token.
            """
    }

    private var table: String {
        let kinds = plans[0].tasks.keys.sorted()
        let hasProse = plans[0].perplexity != nil, hasKnown = plans[0].accuracyKnown != nil
        func percent(_ share: Double?) -> String {
            share.map { String(format: "%.1f", 100 * $0) } ?? "-"
        }
        func number(_ format: String, _ value: Double?) -> String {
            value.map { String(format: format, $0) } ?? "-"
        }
        var table = Table(leading: 2)
        table.add(
            ["", "plan", "ratio", "bits", "acc", "lost", "+-"] + kinds
                + (hasKnown ? ["known"] : []) + (hasProse ? ["ppl", "KL", "top1"] : [])
                + ["compress", "decode"])
        table.add(
            ["", "", "", "/value", "%", "points", ""] + kinds.map { _ in "" }
                + (hasKnown ? ["%"] : []) + (hasProse ? ["", "nats", "%"] : []) + ["ms", "ms"])
        for (index, plan) in plans.enumerated() {
            let lines = planLines(plan.plan, limit: 52)
            table.add(
                [
                    String(repeating: " ", count: index < 9 ? 1 : 0) + "\(index + 1)", lines[0],
                    number("%.2fx", plan.ratio), number("%.2f", plan.bitsPerValue),
                    percent(kinds.isEmpty ? nil : plan.accuracy),
                    index == 0 || kinds.isEmpty ? "" : percent(plan.loss),
                    index == 0 || kinds.isEmpty ? "" : percent(plan.lossInterval),
                ] + kinds.map { percent(plan.tasks[$0]) }
                    + (hasKnown ? [percent(plan.accuracyKnown)] : [])
                    + (hasProse
                        ? [
                            number("%.2f", plan.perplexity), number("%.4f", plan.kl),
                            percent(plan.top1),
                        ] : []) + [
                        number("%.1f", plan.compressMilliseconds),
                        number("%.2f", plan.decodeMilliseconds),
                    ])
            for line in lines.dropFirst() { table.add(["", line]) }
        }
        return table.text
    }

    var plot: Plot {
        Plot(
            points: plans.map {
                Plot.Point(plan: $0.plan, ratio: $0.ratio, error: max(0, 1 - $0.accuracy))
            },
            caption: [
                "\(model): \(plans[0].questions.grouped) questions over \(contexts) contexts of up to \(length.grouped) tokens.",
                "Down and to the right is better; the grey line joins the plans that no other beats in both.",
            ], title: "Wrong answers against compression",
            axis: "share of wrong answers", column: "wrong")
    }
}
