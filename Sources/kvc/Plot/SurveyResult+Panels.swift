import Foundation
import KVCompress

extension SurveyResult {
    /// The picture: a chart for each group of observations.
    var panels: Panels {
        Panels(
            title: "What the methods rest on, in this cache",
            caption:
                "\(model): \(survey.tokens.grouped) tokens. Where lines have no names, they are layers: orange the first, blue the last.",
            panels: neighbours + attention + numbers)
    }

    private var layers: [Survey.Layer] { survey.layers }

    /// Layer numbers, at most a dozen of them.
    private var numbersOfLayers: [String] {
        let step = (layers.count + 11) / 12
        return layers.indices.map { $0 % step == 0 ? "\($0)" : "" }
    }

    /// A line per layer.
    private func perLayer(_ values: (Survey.Layer) -> [Double?]) -> [Panels.Line] {
        zip(layers, Panels.gradient(layers.count)).map {
            Panels.Line(color: $1, values: values($0))
        }
    }

    /// One line over the layers.
    private func line(_ name: String, _ color: Color, _ value: (Survey.Layer) -> Double?)
        -> Panels.Line
    {
        Panels.Line(name: name, color: color.rawValue, values: layers.map(value))
    }

    private enum Color: String {
        case keys = "#d9730d", values = "#2f6fd0", lightKeys = "#f0b98a", lightValues = "#9dbdec"
        case even = "#8c959f"
    }

    private var cosineMarks: [Double] {
        let lowest =
            layers.flatMap { layer in
                layer.neighbours.flatMap { $0.quarters + [$0.cosine] }
                    + (layer.below.map { [$0.keys, $0.values] } ?? [])
            }.min() ?? 0
        return lowest < -0.5
            ? [-1, -0.5, 0, 0.5, 1] : lowest < 0 ? [-0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]
    }

    private var neighbours: [Panels.Panel] {
        let heads = (layers.map(\.neighbours.count).max() ?? 0)
        let dots = (0..<heads).map { head in
            Panels.Line(
                color: Color.lightKeys.rawValue,
                values: layers.map {
                    head < $0.neighbours.count ? $0.neighbours[head].cosine : nil
                },
                isScatter: true)
        }
        let runs = Survey.runLengths.map {
            $0.count == 1
                ? "\($0.lowerBound)"
                : $0.upperBound == .max ? "\($0.lowerBound)+" : "\($0.lowerBound)-\($0.upperBound)"
        }
        return [
            Panels.Panel(
                title: "Neighbours", caption: "cosine of keys i and i + 1 by layer; dots: heads",
                places: numbersOfLayers,
                lines: dots + [
                    line("keys", .keys) { $0.neighbours.mean(\.cosine) },
                    line("values", .values) { $0.neighbours.mean(\.valueCosine) },
                ], marks: cosineMarks),
            Panels.Panel(
                title: "Neighbours along the sequence", caption: "the same of keys, by quarters",
                places: ["first", "second", "third", "last"],
                lines: perLayer { layer in
                    (0..<4).map { quarter in layer.neighbours.mean { $0.quarters[quarter] } }
                }, marks: cosineMarks),
            Panels.Panel(
                title: "Runs of neighbours",
                caption: "tokens by the length of their run of cosines > \(Survey.threshold)",
                places: runs,
                lines: perLayer { layer in
                    runs.indices.map { run in 100 * layer.neighbours.mean { $0.runs[run] } }
                }, marks: [0, 25, 50, 75, 100], unit: "%"),
            Panels.Panel(
                title: "Layers", caption: "cosine of a layer's rows and those below",
                places: numbersOfLayers,
                lines: [
                    line("keys", .keys) { $0.below?.keys },
                    line("values", .values) { $0.below?.values },
                    line("MiniCache's paper", .even) { _ in 0.6 },
                ], marks: cosineMarks),
        ]
    }

    private var attention: [Panels.Panel] {
        guard survey.queries > 0 else { return [] }
        return [
            Panels.Panel(
                title: "Attention by tokens", caption: "of all queries on the most attended tokens",
                places: Survey.tops.map { String(format: "%g%%", 100 * $0) },
                lines: perLayer { $0.attention?.mass.map { 100 * $0 } ?? [] } + [
                    Panels.Line(
                        name: "of each query on tokens of its own", color: Color.even.rawValue,
                        values: Survey.tops.indices.map { top in
                            100 * layers.compactMap(\.attention).mean { $0.queryMass[top] }
                        })
                ],
                marks: [0, 25, 50, 75, 100], unit: "%"),
            Panels.Panel(
                title: "Attention by layer",
                caption: "entropy against even attention; on the first tokens",
                places: numbersOfLayers,
                lines: [
                    line("entropy", .keys) { $0.attention.map { 100 * $0.evenness } },
                    line("sinks", .values) { $0.attention.map { 100 * $0.sinks } },
                    line("sinks, even", .even) { $0.attention.map { 100 * $0.evenSinks } },
                ], marks: [0, 25, 50, 75, 100], unit: "%"),
        ]
    }

    private var numbers: [Panels.Panel] {
        let dim = Double(max(keyDim, valueDim))
        let ratios = layers.flatMap { [$0.keyMagnitudes.ratio, $0.valueMagnitudes.ratio] }
        let spreads = layers.flatMap { layer in
            [layer.keyChannels, layer.valueChannels, layer.keyChannelsBeforeRoPE].compactMap {
                $0?.spread
            }
        }
        return [
            Panels.Panel(
                title: "Ranks", caption: "dimensions that hold 90% and 99% of the energy",
                places: numbersOfLayers,
                lines: [
                    line("keys 99%", .lightKeys) { $0.keyRanks.nearly },
                    line("90%", .keys) { $0.keyRanks.most },
                    line("values 99%", .lightValues) { $0.valueRanks.nearly },
                    line("90%", .values) { $0.valueRanks.most },
                ], marks: (0...4).map { Double($0) * dim / 4 }),
            Panels.Panel(
                title: "Channels", caption: "the largest, times the median one",
                places: numbersOfLayers,
                lines: [
                    line("keys before RoPE", .lightKeys) { $0.keyChannelsBeforeRoPE?.spread },
                    line("after", .keys) { $0.keyChannels.spread },
                    line("values", .values) { $0.valueChannels.spread },
                ], marks: Self.decades(spreads), isLogarithmic: true, unit: "×"),
            Panels.Panel(
                title: "Massive values", caption: "the largest number, times the median one",
                places: numbersOfLayers,
                lines: [
                    line("keys", .keys) { $0.keyMagnitudes.ratio },
                    line("values", .values) { $0.valueMagnitudes.ratio },
                ], marks: Self.decades(ratios), isLogarithmic: true, unit: "×"),
        ]
    }

    /// Powers of ten to above the largest finite number, with 2 and 5 between where there is room.
    private static func decades(_ values: [Double]) -> [Double] {
        let largest = values.filter(\.isFinite).max() ?? 1
        let count = max(1, Int(log10(max(largest, 1)).rounded(.up)))
        return (0..<count).flatMap { decade in
            (count < 3 ? [1, 2, 5] : [1]).map { $0 * pow(10, Double(decade)) }
        } + [pow(10, Double(count))]
    }
}
