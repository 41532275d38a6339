import Foundation

/// The picture of a comparison: output error against ratio, one numbered dot per plan.
struct Plot {
    struct Point {
        let plan: String
        let ratio: Double
        let error: Double

        var family: Family { Family(plan: plan) }
    }

    let points: [Point]
    let caption: [String]
    var title = "Output error against compression"
    /// What the error is.
    var axis = "error of the attention output (mean)"
    /// What the error is in the legend.
    var column = "error"

    let left = 80.0, right = 624.0, top = 116.0, width = 1080.0

    /// The picture as SVG.
    func svg() -> String {
        var svg = SVG()
        svg.text(title, at: (28, 40), .title)
        for (index, line) in caption.enumerated() {
            svg.text(line, at: (28, 63 + 17 * Double(index)), .caption)
        }
        drawAxes(&svg)
        drawFrontier(&svg)
        drawDots(&svg)
        drawLegend(&svg)
        return svg.document(width: width, height: bottom + 72)
    }

    var bottom: Double { top + max(440, legendHeight) }

    // MARK: Scales

    /// Below this an error is rounding, and stands as 0 at the foot of the axis.
    private static let nothing = 1e-5

    /// The marks of the error axis: 1, 2, 5 of every decade, as far as errors go.
    private var marks: [Double] {
        let errors = points.map(\.error).filter { $0 >= Self.nothing }
        guard let low = errors.min(), let high = errors.max() else { return [0.01, 0.1] }
        let all = (-5...3).flatMap { decade in [1, 2, 5].map { $0 * pow(10, Double(decade)) } }
        let first = all.lastIndex { $0 <= low } ?? 0
        let last = all.firstIndex { $0 >= high } ?? all.count - 1
        return Array(all[first...max(last, first + 1)])
    }

    private func y(_ error: Double) -> Double {
        let marks = marks
        let foot = points.contains { $0.error < Self.nothing } ? bottom - 40 : bottom
        guard error >= Self.nothing else { return bottom }
        return foot - log(error / marks[0]) / log(marks[marks.count - 1] / marks[0]) * (foot - top)
    }

    private var doublings: Int { max(1, Int(log2(points.map(\.ratio).max() ?? 2).rounded(.up))) }

    private func x(_ ratio: Double) -> Double {
        left + (log2(max(ratio, 0.9)) + 0.25) / (Double(doublings) + 0.5) * (right - left)
    }

    // MARK: Parts

    private func drawAxes(_ svg: inout SVG) {
        let zero = points.contains { $0.error < Self.nothing } ? [0.0] : []
        for mark in zero + marks {
            let isDecade = mark == 0 || log10(mark).rounded() == log10(mark)
            svg.line([(left, y(mark)), (right, y(mark))], color: isDecade ? "#d1d9e0" : "#e9edf1")
            let label = String(format: "%g", mark)
            svg.text(label, at: (left - 10, y(mark) + 4), isDecade ? .number : .faintNumber)
        }
        for doubling in 0...doublings {
            let ratio = pow(2, Double(doubling))
            svg.line([(x(ratio), top), (x(ratio), bottom)], color: "#d1d9e0")
            svg.text("\(Int(ratio))×", at: (x(ratio), bottom + 20), .ratio)
        }
        svg.text("times smaller than f16", at: ((left + right) / 2, bottom + 46), .axis)
        svg.text(
            axis,
            at: (28, (top + bottom) / 2),
            .axis,
            turned: -90
        )
    }

    /// Joins the plans that no other plan beats in both error and ratio.
    private func drawFrontier(_ svg: inout SVG) {
        let best = points.filter { point in
            !points.contains {
                $0.ratio >= point.ratio && $0.error <= point.error
                    && ($0.ratio > point.ratio || $0.error < point.error)
            }
        }.sorted { $0.ratio < $1.ratio }
        svg.line(best.map { (x($0.ratio), y($0.error)) }, color: "#e3e3e3", width: 8)
    }

    /// Dots where the plans are; the numbers of dots that crowd stand in columns at both sides.
    private func drawDots(_ svg: inout SVG) {
        let order = points.indices.sorted { x(points[$0].ratio) < x(points[$1].ratio) }
        var crowds: [[Int]] = []
        for index in order {
            if let last = crowds.last?.last, x(points[index].ratio) - x(points[last].ratio) < 12 {
                crowds[crowds.count - 1].append(index)
            } else {
                crowds.append([index])
            }
        }
        for crowd in crowds {
            let reach = crowd.count > 2 ? 24.0 : 10.0
            let sorted = crowd.sorted { y(points[$0].error) < y(points[$1].error) }
            for side in [0, 1] {
                let members = sorted.enumerated().filter { $0.offset % 2 == side }.map(\.element)
                let heights = spread(members.map { y(points[$0].error) }, gap: 15)
                for (member, height) in zip(members, heights) {
                    let point = points[member], from = (x: x(point.ratio), y: y(point.error))
                    let to = (x: from.x + (side == 0 ? reach : -reach), y: height)
                    if crowd.count > 2 { svg.line([from, to], color: point.family.color) }
                    svg.text(
                        "\(member + 1)",
                        at: (to.x + (side == 0 ? 2 : -2), to.y + 4),
                        .member(point.family, side == 0 ? .start : .end)
                    )
                }
            }
            for member in sorted {
                let point = points[member]
                svg.dot(x(point.ratio), y(point.error), color: point.family.color)
            }
        }
    }

    /// Heights (ascending) moved apart to at least `gap`, each run around its own middle.
    private func spread(_ heights: [Double], gap: Double) -> [Double] {
        var runs: [(sum: Double, count: Int)] = []
        func start(_ run: (sum: Double, count: Int)) -> Double {
            let wanted = run.sum / Double(run.count) - gap * Double(run.count - 1) / 2
            return max(top + 6, min(wanted, bottom - gap * Double(run.count - 1)))
        }
        for height in heights {
            runs.append((height, 1))
            while runs.count > 1,
                start(runs[runs.count - 1])
                    < start(runs[runs.count - 2]) + gap * Double(runs[runs.count - 2].count)
            {
                let last = runs.removeLast()
                runs[runs.count - 1].sum += last.sum
                runs[runs.count - 1].count += last.count
            }
        }
        return runs.flatMap { run in (0..<run.count).map { start(run) + gap * Double($0) } }
    }
}

extension SVG.Style {
    static let title = Self(size: 21, isBold: true)
    static let caption = Self(size: 12.5, color: "#59636e")
    static let axis = Self(size: 13.5, anchor: .middle)
    static let ratio = Self(size: 12, color: "#3d444d", anchor: .middle)
    static let number = Self(size: 12, color: "#3d444d", anchor: .end)
    static let faintNumber = Self(size: 12, color: "#818b98", anchor: .end)
    static let figure = Self(size: 11, color: "#59636e", anchor: .end)
    static let plan = Self(size: 10.5, isCode: true)

    static func family(_ family: Plot.Family) -> Self {
        Self(size: 13, color: family.color, isBold: true)
    }

    static func member(_ family: Plot.Family, _ anchor: Anchor) -> Self {
        Self(size: 12, color: family.color, anchor: anchor, isBold: true)
    }
}
