import Foundation

@testable import KVCompress

/// A random cache whose layers resemble each other: what MiniCache presumes and small models lack.
///
/// The row of all heads of a layer has, token by token, nearly the given cosine to that of the layer before.
/// Every eighth token's has none: it is one to retain. Norms differ from token to token and from layer to layer.
struct AlikeCache: CustomStringConvertible {
    var seed = 1
    var layers = 4
    var kvHeads = 2
    var group = 2
    var tokens = 100
    var dim = 32
    var cosine = 0.6
    /// Deviation of the logarithm of norms among tokens.
    var spread = 0.5
    /// What a layer's norms are multiplied with, for each layer again.
    var growth = 1.25

    var description: String {
        "seed \(seed): \(layers) layers of cosine \(cosine), \(kvHeads) kv heads, \(tokens) tokens, dim \(dim)"
    }

    func make() throws -> Cache {
        var random = Seeded(seed &+ 3000)
        let keys = side(&random), values = side(&random)
        let built = (0..<layers).map { layer in
            CacheLayer(
                keys: keys[layer], values: values[layer],
                queries: (0..<kvHeads * group).map { _ in
                    Rows((0..<tokens * dim).map { _ in random.normal() }, dim: dim)
                })
        }
        return try Cache(layers: built, metadata: ["model": "alike \(seed)"])
    }

    /// Rows of all layers and heads.
    private func side(_ random: inout Seeded) -> [[Rows]] {
        let width = kvHeads * dim
        var last: [[Double]] = (0..<tokens).map { _ in unit(width, &random) }
        let sizes = (0..<tokens).map { _ in
            Double(dim).squareRoot() * exp(spread * Double(random.normal()))
        }
        return (0..<layers).map { layer in
            if layer > 0 {
                last = last.indices.map { token in
                    let wanted = token % 8 == 5 ? 0 : cosine + 0.02 * Double(random.normal())
                    return turned(last[token], to: min(1, wanted), &random)
                }
            }
            let scale = pow(growth, Double(layer))
            return (0..<kvHeads).map { head in
                Rows(
                    last.indices.flatMap { token in
                        last[token][head * dim..<(head + 1) * dim].map {
                            Float($0 * sizes[token] * scale)
                        }
                    }, dim: dim)
            }
        }
    }

    private func unit(_ width: Int, _ random: inout Seeded) -> [Double] {
        let row = (0..<width).map { _ in Double(random.normal()) }
        let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / length }
    }

    /// A unit row with a given cosine to another.
    private func turned(_ row: [Double], to cosine: Double, _ random: inout Seeded) -> [Double] {
        let other = unit(row.count, &random)
        let along = zip(row, other).reduce(0) { $0 + $1.0 * $1.1 }
        let across = zip(row, other).map { $1 - along * $0 }
        let length = across.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let sine = (1 - cosine * cosine).squareRoot()
        return zip(row, across).map { cosine * $0 + sine * $1 / length }
    }
}
