/// How a token's attention spreads to its neighbours.
enum Pool: Hashable, CustomStringConvertible {
    case max(Int), mean(Int), none

    /// The canonical text.
    var description: String {
        switch self {
        case .max(let width): "max(\(width))"
        case .mean(let width): "mean(\(width))"
        case .none: "none"
        }
    }

    static let kind: ValueKind = {
        func width(_ text: String) -> [ParameterDescription] {
            [
                ParameterDescription(
                    "width",
                    .count(1...1023),
                    default: text,
                    "tokens, centred on the one scored"
                )
            ]
        }
        return .choice([.init("max", width("7")), .init("mean", width("5")), .init("none")])
    }()

    init(_ choice: (word: String, arguments: Arguments)) {
        switch choice.word {
        case "max": self = .max(choice.arguments.count("width"))
        case "mean": self = .mean(choice.arguments.count("width"))
        default: self = .none
        }
    }

    /// Pools a range over what of each neighbourhood lies inside it.
    fileprivate func apply(
        _ source: UnsafePointer<Float>,
        to row: UnsafeMutablePointer<Float>,
        _ range: Range<Int>
    ) {
        for token in range {
            switch self {
            case .none: row[token] = source[token]
            case .max(let width):
                row[token] = Self.around(token, width, in: range).reduce(0) {
                    Swift.max($0, source[$1])
                }
            case .mean(let width):
                let neighbours = Self.around(token, width, in: range)
                row[token] = neighbours.reduce(0) { $0 + source[$1] } / Float(neighbours.count)
            }
        }
    }

    private static func around(_ token: Int, _ width: Int, in range: Range<Int>) -> Range<Int> {
        let first = token - width / 2
        return (first..<first + width).clamped(to: range)
    }
}

extension Observation {
    /// Mean attention of the last `observe` queries (of all, when there are fewer), pooled, per query head.
    func windowAttention(of observe: Int, _ pool: Pool) -> [Scores] {
        let cache = self.cache
        let attention = attention(.init(reductions: [.windowSum], window: observe))
        return perQueryHead(attention, .windowSum) { layer, received, row in
            let window = min(observe, cache.layers[layer].queries?[0].count ?? 0)
            // The window's own tokens are pooled apart: they are not neighbours of what came before.
            pool.apply(received, to: row, 0..<cache.tokens - window)
            pool.apply(received, to: row, cache.tokens - window..<cache.tokens)
            for token in 0..<cache.tokens { row[token] /= Float(window) }
        }
    }
}
