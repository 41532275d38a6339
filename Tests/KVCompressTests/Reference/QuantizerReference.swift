import Foundation

@testable import KVCompress

/// Rounding to f16 by its definition: 11 significant bits, exponents from -14.
enum HalfReference {
    static func round(_ x: Double, _ rule: FloatingPointRoundingRule = .toNearestOrEven) -> Double {
        let exponent = x == 0 ? -14 : max(Int(x.exponent), -14)
        let unit = pow(2, Double(exponent - 10))
        return (x / unit).rounded(rule) * unit
    }
}

/// The quantizer's rule in double precision: what a decoded number must lie near.
struct QuantizerReference {
    var bits: Int
    var asymmetric: Bool

    /// The stored step of numbers that share one.
    func step(_ x: [Double]) -> Double {
        if asymmetric {
            let levels = Double(1 << bits - 1)
            return HalfReference.round(
                (x.max()! - HalfReference.round(x.min()!, .down)) / levels,
                .up
            )
        }
        let levels = Double(1 << (bits - 1) - 1)
        return HalfReference.round(x.map(abs).max()! / levels, .up)
    }

    /// The stored step of each number of `rows` (n x dim): per token `group` elements of a row share
    /// one, per channel `group` tokens.
    func steps(_ rows: [[Double]], group: Int, perChannel: Bool) -> [[Double]] {
        var steps = rows
        let dim = rows[0].count
        if perChannel {
            for first in stride(from: 0, to: rows.count, by: group) {
                for c in 0..<dim {
                    let shared = step((first..<first + group).map { rows[$0][c] })
                    for t in first..<first + group { steps[t][c] = shared }
                }
            }
        } else {
            for t in rows.indices {
                for first in stride(from: 0, to: dim, by: group) {
                    let elements = first..<min(first + group, dim)
                    let shared = step(elements.map { rows[t][$0] })
                    for c in elements { steps[t][c] = shared }
                }
            }
        }
        return steps
    }
}

/// The normalised Sylvester-Hadamard transform by its definition, in blocks of powers of two, the
/// largest first.
func hadamardReference(_ row: [Double]) -> [Double] {
    var result: [Double] = []
    while result.count < row.count {
        let rest = row.count - result.count
        let size = 1 << (Int.bitWidth - 1 - rest.leadingZeroBitCount)
        for i in 0..<size {
            let sum = (0..<size).reduce(0.0) { sum, j in
                sum + ((i & j).nonzeroBitCount % 2 == 0 ? 1 : -1) * row[row.count - rest + j]
            }
            result.append(sum / Double(size).squareRoot())
        }
    }
    return result
}
