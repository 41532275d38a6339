import Foundation

/// A drawing: elements as text, in the order in which they are painted.
struct SVG {
    private var elements = ""

    /// The finished document.
    func document(width: Double, height: Double) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(place(width)) \(place(height))" \
        width="\(place(width))" height="\(place(height))" \
        font-family="Helvetica Neue, Helvetica, Arial, sans-serif">
        <rect width="100%" height="100%" fill="#ffffff"/>
        \(elements)</svg>

        """
    }

    /// How a text is set.
    struct Style {
        enum Anchor { case start, middle, end }

        var size: Double
        var color = "#1f2328"
        var anchor = Anchor.start
        var isBold = false
        var isCode = false

        var attributes: String {
            var text = "font-size=\"\(size)\" fill=\"\(color)\" text-anchor=\"\(anchor)\""
            if isBold { text += " font-weight=\"600\"" }
            if isCode {
                text += " xml:space=\"preserve\" font-family=\"Menlo, DejaVu Sans Mono, monospace\""
            }
            return text
        }
    }

    mutating func text(
        _ content: String,
        at point: (x: Double, y: Double),
        _ style: Style,
        turned: Double = 0
    ) {
        let escaped = content.printable.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;")
        let turn = turned == 0 ? "" : " rotate(\(turned))"
        elements +=
            "<text transform=\"translate(\(place(point.x)) \(place(point.y)))\(turn)\" "
            + "\(style.attributes)>\(escaped)</text>\n"
    }

    mutating func line(_ points: [(x: Double, y: Double)], color: String, width: Double = 1) {
        let path = points.map { "\(place($0.x)),\(place($0.y))" }.joined(separator: " ")
        elements +=
            "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" "
            + "stroke-width=\"\(width)\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
    }

    mutating func dot(_ x: Double, _ y: Double, color: String, radius: Double = 5) {
        elements +=
            "<circle cx=\"\(place(x))\" cy=\"\(place(y))\" r=\"\(radius)\" fill=\"\(color)\" "
            + "stroke=\"#ffffff\" stroke-width=\"1.2\"/>\n"
    }

    private func place(_ number: Double) -> String { String(format: "%.1f", number) }
}
