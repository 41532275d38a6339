import Foundation

/// -log p of tokens, in nats, each under its own row of logits.
///
/// - Parameters:
///   - tokens: n ids, below `logits.count / n`.
///   - logits: n rows, packed, as `Model.read` returns them.
public func negativeLogLikelihoods(_ tokens: [Int], _ logits: [Float]) -> [Double] {
    guard !tokens.isEmpty else { return [] }
    let width = logits.count / tokens.count
    precondition(logits.count == tokens.count * width)
    return tokens.enumerated().map { row, token in
        precondition((0..<width).contains(token), "an unknown token")
        let row = logits[row * width..<(row + 1) * width]
        return row.logSum - Double(row[row.startIndex + token])
    }
}

/// KL divergence of what logits predict from what others do, in nats.
func divergence(of b: ArraySlice<Float>, from a: ArraySlice<Float>) -> Double {
    let (ofA, ofB) = (a.logSum, b.logSum)
    return zip(a, b).reduce(0.0) { sum, pair in
        let p = Double(pair.0) - ofA
        return sum + exp(p) * (p - (Double(pair.1) - ofB))
    }
}

extension ArraySlice<Float> {
    /// The place of the largest number from the start; the first of equal ones.
    var likeliest: Int {
        var best = startIndex
        for index in indices where self[index] > self[best] { best = index }
        return best - startIndex
    }

    /// ln of the sum of exp.
    fileprivate var logSum: Double {
        let most = Double(self.max() ?? 0)
        return most + log(reduce(0.0) { $0 + exp(Double($1) - most) })
    }
}
