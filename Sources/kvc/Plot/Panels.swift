import Foundation

/// Small charts in a grid, each of a few lines over the same places.
struct Panels {
    /// One line of a chart, with a dot where it has a number.
    struct Line {
        /// Nil for lines that a gradient tells apart.
        var name: String?
        var color: String
        var values: [Double?]
        /// Dots alone.
        var isScatter = false
    }

    struct Panel {
        let title: String
        let caption: String
        /// Labels of the places, some of them perhaps empty.
        let places: [String]
        let lines: [Line]
        /// The marks of the vertical axis; the first and the last are its ends, and both are above 0 where
        /// the axis is logarithmic.
        let marks: [Double]
        var isLogarithmic = false
        var unit = ""
    }

    let title: String
    let caption: String
    let panels: [Panel]

    private let columns = 3, width = 1080.0, left = 28.0, top = 104.0
    private let cell = (width: 350.0, height: 250.0)
    private let inset = (left: 44.0, top: 44.0, right: 34.0, bottom: 58.0)

    func svg() -> String {
        var svg = SVG()
        svg.text(title, at: (left, 40), .title)
        svg.text(caption, at: (left, 63), .caption)
        for (index, panel) in panels.enumerated() {
            let origin = (
                x: left + Double(index % columns) * cell.width,
                y: top + Double(index / columns) * cell.height
            )
            draw(panel, at: origin, &svg)
        }
        let rows = (panels.count + columns - 1) / columns
        return svg.document(width: width, height: top + Double(rows) * cell.height)
    }

    private func draw(_ panel: Panel, at origin: (x: Double, y: Double), _ svg: inout SVG) {
        let (minX, maxX) = (origin.x + inset.left, origin.x + cell.width - inset.right)
        let (minY, maxY) = (origin.y + inset.top, origin.y + cell.height - inset.bottom)
        let scale = { (value: Double) in panel.isLogarithmic ? log(value) : value }
        let (low, high) = (panel.marks[0], panel.marks[panel.marks.count - 1])
        func y(_ value: Double) -> Double {
            let inside = min(max(value, low), high)
            return maxY - (scale(inside) - scale(low)) / (scale(high) - scale(low)) * (maxY - minY)
        }
        func x(_ place: Int) -> Double {
            minX + (Double(place) + 0.5) / Double(panel.places.count) * (maxX - minX)
        }

        svg.text(panel.title, at: (origin.x, origin.y + 10), .panel)
        svg.text(panel.caption, at: (origin.x, origin.y + 26), .figureStart)
        for mark in panel.marks {
            svg.line([(minX, y(mark)), (maxX, y(mark))], color: mark == 0 ? "#afb8c1" : "#e3e7eb")
            svg.text(
                String(format: "%g", mark) + panel.unit, at: (minX - 6, y(mark) + 4), .figure)
        }
        for (place, label) in panel.places.enumerated() {
            svg.text(label, at: (x(place), maxY + 16), .place)
        }
        for line in panel.lines {
            // A line breaks where it has no number.
            for part in line.values.enumerated().split(whereSeparator: { $0.element == nil }) {
                let points = part.map { (x: x($0.offset), y: y($0.element!)) }
                if !line.isScatter { svg.line(points, color: line.color, width: 2) }
                for point in points { svg.dot(point.x, point.y, color: line.color, radius: 3) }
            }
        }
        var start = minX
        for line in panel.lines {
            guard let name = line.name else { continue }
            svg.dot(start, maxY + 34, color: line.color, radius: 3)
            svg.text(name, at: (start + 8, maxY + 38), .figureStart)
            start += 22 + 5.8 * Double(name.count)
        }
    }

    /// Colours of `count` lines, from the first layer's to the last one's.
    static func gradient(_ count: Int) -> [String] {
        let (from, to) = ((0xD9, 0x73, 0x0D), (0x2F, 0x4F, 0xD0))
        return (0..<count).map { index in
            let share = count == 1 ? 0 : Double(index) / Double(count - 1)
            func mix(_ a: Int, _ b: Int) -> Int { a + Int((share * Double(b - a)).rounded()) }
            return String(
                format: "#%02x%02x%02x", mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
        }
    }
}

extension SVG.Style {
    static let panel = Self(size: 13.5, isBold: true)
    static let place = Self(size: 11, color: "#59636e", anchor: .middle)
    static let figureStart = Self(size: 11, color: "#59636e")
}
