/// The attention of the last queries, spread to neighbours.
struct SnapKV: Scorer {
    enum Pool: Hashable, CustomStringConvertible {
        case max(Int), mean(Int), none

        var description: String {
            switch self {
            case .max(let width): "max(\(width))"
            case .mean(let width): "mean(\(width))"
            case .none: "none"
            }
        }
    }

    private static func width(_ text: String) -> [ParameterDescription] {
        [
            ParameterDescription(
                "width",
                .count(1...1023),
                default: text,
                "tokens, centred on the one scored"
            )
        ]
    }

    static let identity = ScorerIdentity(
        name: "snapkv",
        summary: "keeps what the last queries attend to, with its neighbours",
        source: "SnapKV, arXiv 2404.14469, section 4",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "observe",
                .count(1...Int.max),
                default: "32",
                "the last queries that count (all, when there are fewer)"
            ),
            ParameterDescription(
                "pool",
                .choice([.init("max", width("7")), .init("mean", width("5")), .init("none")]),
                default: "max(7)",
                "how a token's score spreads to its neighbours"
            ),
        ],
        recent: "the observed queries' own tokens"
    )

    let observe: Int
    let pool: Pool

    init(_ arguments: Arguments) {
        observe = arguments.count("observe")
        let (word, pool) = arguments.choice("pool")
        self.pool =
            word == "none"
            ? .none : word == "max" ? .max(pool.count("width")) : .mean(pool.count("width"))
    }

    var settings: [String: String] { ["observe": "\(observe)", "pool": pool.description] }

    func defaultRecent(budget: Int, queries: Int) -> Int { min(observe, queries) }

    func remarks(queries: Int) -> [String] {
        queries < observe
            ? [
                "snapkv: observe=\(observe), and the cache carries \(queries) queries; all are observed"
            ] : []
    }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let cache = observation.cache
        let attention = observation.attention(.init(reductions: [.windowSum], window: observe))
        return observation.perQueryHead(attention, .windowSum) { layer, received, row in
            let window = min(observe, cache.layers[layer].queries?[0].count ?? 0)
            // The window's own tokens are pooled apart: they are not neighbours of what came before.
            pool.apply(received, to: row, 0..<cache.tokens - window)
            pool.apply(received, to: row, cache.tokens - window..<cache.tokens)
            for token in 0..<cache.tokens { row[token] /= Float(window) }
        }
    }
}

extension SnapKV.Pool {
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
