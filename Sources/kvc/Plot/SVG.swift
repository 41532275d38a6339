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

    enum Anchor: String { case start, middle, end }

    mutating func text(
        _ content: String, _ x: Double, _ y: Double, size: Double, color: String = "#1f2328",
        anchor: Anchor = .start, more: String = ""
    ) {
        let escaped = content.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;")
        elements += "<text x=\"\(place(x))\" y=\"\(place(y))\" font-size=\"\(size)\" fill=\"\(color)\" "
            + "text-anchor=\"\(anchor)\" \(more)>\(escaped)</text>\n"
    }

    mutating func line(_ points: [(x: Double, y: Double)], color: String, width: Double = 1) {
        let path = points.map { "\(place($0.x)),\(place($0.y))" }.joined(separator: " ")
        elements += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color)\" "
            + "stroke-width=\"\(width)\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
    }

    mutating func dot(_ x: Double, _ y: Double, color: String) {
        elements += "<circle cx=\"\(place(x))\" cy=\"\(place(y))\" r=\"5\" fill=\"\(color)\" "
            + "stroke=\"#ffffff\" stroke-width=\"1.2\"/>\n"
    }

    private func place(_ number: Double) -> String { String(format: "%.1f", number) }
}

extension String {
    static let bold = "font-weight=\"600\""
    static let mono = "font-family=\"ui-monospace, Menlo, DejaVu Sans Mono, monospace\""
}
