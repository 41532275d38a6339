import Foundation

extension Plot {
    /// What a plan is made of; decides its colour.
    enum Family: String, CaseIterable {
        case control = "Controls", eviction = "Eviction", crush = "Eviction with KVCrush"
        case quantization = "Quantization", combination = "Combinations"

        init(plan: String) {
            let stages = plan.components(separatedBy: "|").map {
                $0.trimmingCharacters(in: .whitespaces).prefix { $0 != "(" }
            }
            let quantizes = stages.contains { ["q8", "q4", "q3", "q2", "kv"].contains($0) }
            let plain = stages.allSatisfy {
                ["f16", "f32", "bf16", "streaming", "random"].contains($0)
            }
            self =
                switch (plain, quantizes, stages.count) {
                case (true, _, _): .control
                case (_, true, 1): .quantization
                case (_, true, _): .combination
                default: stages.contains("kvcrush") ? .crush : .eviction
                }
        }

        var color: String {
            switch self {
            case .control: "#6e7781"
            case .eviction: "#2f6fd0"
            case .crush: "#d9730d"
            case .quantization: "#2a9162"
            case .combination: "#a3398f"
            }
        }
    }

    private var families: [(family: Family, members: [Int])] {
        Family.allCases.map { family in
            (family, points.indices.filter { points[$0].family == family })
        }
        .filter { !$0.members.isEmpty }
    }

    var legendHeight: Double {
        families.reduce(0) { height, family in
            family.members.reduce(height + 34) {
                $0 + 5 + 14 * Double(planLines(points[$1].plan, limit: 40).count)
            }
        }
    }

    /// The numbered plans beside the picture, by family, with what the picture shows as numbers.
    func drawLegend(_ svg: inout SVG) {
        let start = right + 44, ratio = width - 88, error = width - 32
        var y = top + 10
        svg.text("ratio", at: (ratio, y), .figure)
        svg.text(column, at: (error, y), .figure)
        for (family, members) in families {
            svg.text(family.rawValue, at: (start, y), .family(family))
            y += 20
            for member in members {
                let point = points[member]
                svg.text("\(member + 1)", at: (start + 16, y), .member(family, .end))
                svg.text(String(format: "%.1f×", point.ratio), at: (ratio, y), .figure)
                svg.text(String(format: "%.3f", point.error), at: (error, y), .figure)
                for line in planLines(point.plan, limit: 40) {
                    svg.text(line, at: (start + 26, y), .plan)
                    y += 14
                }
                y += 5
            }
            y += 14
        }
    }
}
