import Foundation
import KVCompress

/// A survey, and the ways to show it.
struct SurveyResult: Encodable {
    let model: String
    let shape: String
    let survey: Survey
    let findings: [SurveyFinding]
    let keyDim: Int
    let valueDim: Int

    private enum CodingKeys: String, CodingKey { case model, survey, findings }

    init(_ survey: Survey, of cache: Cache) {
        self.survey = survey
        let source = ComparisonSource(cache, holdout: 0, threads: 1)
        model = source.model
        shape = source.shape
        keyDim = cache.layers[0].geometry.keyDim
        valueDim = cache.layers[0].geometry.valueDim
        findings = SurveyFinding.all(survey, keyDim: keyDim, valueDim: valueDim)
    }

    var text: String {
        """
        \(model)
        \(shape); \(survey.tokens.grouped) tokens, \
        \(survey.queries == 0 ? "no queries" : "queries of the last \(survey.queries.grouped)").

        \(table)

        neighbours: cosine of keys i and i + 1: mean, range of the heads, first and last quarter of the sequence, part above \(Survey.threshold).
        below: cosine with the layer below. attention: on the most attended 10% of the tokens; entropy, of what even attention has;
        on the first \(Survey.sinks) tokens. ranks: dimensions that hold 90% and 99% of the energy. channels: the largest of keys, times the
        median one, before and after RoPE. largest: the largest number, times the median one.

        \(findings.map(\.text).joined(separator: "\n"))\
        \(survey.remarks.map { "\nNote: \($0)." }.joined())
        """
    }

    private var table: String {
        var table = Table(leading: 1)
        table.add([
            "", "neighbours", "", "", "", "", "below", "", "attention", "", "", "ranks", "",
            "channels", "", "largest", "",
        ])
        table.add([
            "layer", "keys", "of heads", "first", "last", ">\(Survey.threshold)", "keys", "values",
            "top 10%", "entropy", "sinks", "keys", "values", "before", "after", "keys", "values",
        ])
        func number(_ value: Double?, _ format: String = "%.2f") -> String {
            // Nothing is printed as -0.00.
            value.map { String(format: format, abs($0) < 0.005 ? 0 : $0) } ?? "-"
        }
        func ranks(_ ranks: Survey.Ranks) -> String {
            String(format: "%.0f/%.0f", ranks.most, ranks.nearly)
        }
        for (index, layer) in survey.layers.enumerated() {
            let heads = layer.neighbours, cosines = heads.map(\.cosine)
            table.add([
                "\(index)", number(heads.mean(\.cosine)),
                "\(number(cosines.min()))...\(number(cosines.max()))",
                number(heads.mean { $0.quarters[0] }), number(heads.mean { $0.quarters[3] }),
                percent(heads.mean(\.linked)), number(layer.below?.keys),
                number(layer.below?.values), layer.attention.map { percent($0.mass[2]) } ?? "-",
                layer.attention.map { percent($0.evenness) } ?? "-",
                layer.attention.map { percent($0.sinks) } ?? "-", ranks(layer.keyRanks),
                ranks(layer.valueRanks), number(layer.keyChannelsBeforeRoPE?.spread, "%.1fx"),
                number(layer.keyChannels.spread, "%.1fx"),
                number(layer.keyMagnitudes.ratio, "%.0fx"),
                number(layer.valueMagnitudes.ratio, "%.0fx"),
            ])
        }
        return table.text
    }
}

extension Sequence {
    /// The arithmetic mean of a property of the elements, 0 of none.
    func mean(_ value: (Element) -> Double) -> Double {
        var sum = 0.0, count = 0
        for element in self {
            sum += value(element)
            count += 1
        }
        return count == 0 ? 0 : sum / Double(count)
    }
}
