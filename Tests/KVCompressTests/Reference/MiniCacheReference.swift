import Foundation

@testable import KVCompress

/// MiniCache of one pair of layers in double precision, from section 3 of its paper.
struct MiniCacheReference {
    var interpolation = 0.6
    var retain = 0.05
    var perHead = false

    /// The tokens of one side of a pair: `[layer][head][token][element]`.
    typealias Side = [[[[Double]]]]

    /// What the two layers' heads hold for tokens that all of them (or, per head, both layers) have.
    struct Result {
        /// `[head][token]`.
        var retained: [[Bool]]
        var keys: Side
        var values: Side
    }

    func merge(keys: Side, values: Side) -> Result {
        let heads = Array(keys[0].indices)
        var result = Result(
            retained: heads.map { _ in [] }, keys: keys, values: values)
        for whole in perHead ? heads.map({ [$0] }) : [heads] {
            let tokens = keys[0][whole[0]].indices
            let distances = tokens.map {
                angle(row(keys[1], whole, $0), row(keys[0], whole, $0)) / .pi
            }
            let least = distances.min() ?? 0, most = distances.max() ?? 0
            for token in tokens {
                let stays = distances[token] > most - retain * (most - least)
                for head in whole { result.retained[head].append(stays) }
                if stays { continue }
                share(&result.keys, keys, whole, token)
                share(&result.values, values, whole, token)
            }
        }
        return result
    }

    /// The cosines of all pairs of rows.
    func cosines(_ side: Side) -> [Double] {
        let heads = Array(side[0].indices)
        return (perHead ? heads.map { [$0] } : [heads]).flatMap { whole in
            side[0][whole[0]].indices.map {
                cos(angle(row(side[1], whole, $0), row(side[0], whole, $0)))
            }
        }
    }

    private func row(_ layer: [[[Double]]], _ heads: [Int], _ token: Int) -> [Double] {
        heads.flatMap { layer[$0][token] }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    }

    private func angle(_ x: [Double], _ y: [Double]) -> Double {
        let norms = (dot(x, x) * dot(y, y)).squareRoot()
        return norms == 0 ? 0 : acos(max(-1, min(1, dot(x, y) / norms)))
    }

    /// Puts direction times norm in the place of a token's rows in both layers.
    private func share(_ out: inout Side, _ side: Side, _ heads: [Int], _ token: Int) {
        let x = row(side[1], heads, token), y = row(side[0], heads, token)
        let normX = dot(x, x).squareRoot(), normY = dot(y, y).squareRoot()
        let angle = angle(x, y), t = interpolation
        var direction = x.indices.map { place in
            sin((1 - t) * angle) / sin(angle) * y[place] / normY
                + sin(t * angle) / sin(angle) * x[place] / normX
        }
        if normX == 0 { direction = y.map { $0 / normY } }
        if normY == 0 { direction = x.map { normX == 0 ? 0 : $0 / normX } }
        let length = dot(direction, direction).squareRoot()
        let dim = side[0][heads[0]][token].count
        for (layer, norm) in [normY, normX].enumerated() {
            for (place, head) in heads.enumerated() {
                out[layer][head][token] = direction[place * dim..<(place + 1) * dim].map {
                    length == 0 ? 0 : $0 / length * norm
                }
            }
        }
    }
}

extension Rows {
    /// Some rows as plain numbers.
    func doubles(_ tokens: [Int]) -> [[Double]] { tokens.map { row($0).map(Double.init) } }
}
