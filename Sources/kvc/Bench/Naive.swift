import ArgumentParser
import Foundation
import KVCompress

/// Attention written down in doubles, against which everything is checked before it is timed.
enum Naive {
    /// How far a query head may be from it: |O - O_naive| / |O_naive|.
    static let bound = 1e-3

    /// Refuses outputs of a compressed layer, one query per head, that are not what its entries make.
    ///
    /// - Parameter most: values that a query head reads; nil reads all.
    static func check(
        _ outputs: [[Float]], of queries: [Rows], _ cache: CompressedCache, layer: Int,
        _ what: String, most: Int? = nil, workers: Workers
    ) throws {
        let group = queries.count / cache.geometry[layer].kvHeads
        let heads = workers.map(cache.geometry[layer].kvHeads) { kvHead in
            let entries = cache.entries(layer: layer, head: kvHead)
            return (kvHead * group..<(kvHead + 1) * group).map { head in
                attention(
                    queries[head].floats(), keys: entries.keys, values: entries.values,
                    bias: entries.votes.map { log(Double($0)) }, most: most)
            }
        }
        for (head, exact) in heads.joined().enumerated() where exact.isDecided {
            try compare(outputs[head], exact.output, "\(what), query head \(head)")
        }
    }

    /// Refuses an output that is further from the exact one than the bound.
    static func compare(
        _ output: [Float], _ exact: [Double], _ what: String, bound: Double = Naive.bound
    ) throws {
        var difference = 0.0, size = 0.0
        for (a, b) in zip(output, exact) {
            difference += (Double(a) - b) * (Double(a) - b)
            size += b * b
        }
        let error = (difference / size).squareRoot()
        guard output.count == exact.count, error <= bound else {
            throw Failure(
                description:
                    "\(what): is \(error) from the reference, more than \(bound); a wrong result is not timed",
                status: .failure)
        }
    }

    /// One query over the keys and values of a head, packed.
    ///
    /// - Parameters:
    ///   - bias: of each key's logit.
    ///   - most: values that are read, those of the highest logits; nil reads all.
    /// - Returns: the output, and whether it is plain what the last value to be read is.
    static func attention(
        _ query: [Float], keys: [Float], values: [Float], bias: [Double], most: Int? = nil
    ) -> (output: [Double], isDecided: Bool) {
        let count = bias.count, dim = query.count, valueDim = values.count / count
        var logits = bias
        let scale = 1 / Double(dim).squareRoot()
        for entry in 0..<count {
            var dot = 0.0
            for i in 0..<dim { dot += Double(query[i]) * Double(keys[entry * dim + i]) }
            logits[entry] += dot * scale
        }
        let top = logits.max()!
        let sum = logits.reduce(0) { $0 + exp($1 - top) }
        var least = -Double.infinity, isDecided = true
        if let most, most < count {
            let sorted = logits.sorted(by: >)
            least = sorted[most - 1]
            isDecided = least - sorted[most] > 1e-3
        }
        var output = [Double](repeating: 0, count: valueDim)
        for entry in 0..<count where logits[entry] >= least {
            let weight = exp(logits[entry] - top) / sum
            for i in 0..<valueDim { output[i] += weight * Double(values[entry * valueDim + i]) }
        }
        return (output, isDecided)
    }
}
