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
        let most = Double(row.max() ?? 0)
        let sum = row.reduce(0.0) { $0 + exp(Double($1) - most) }
        return log(sum) + most - Double(row[row.startIndex + token])
    }
}
