import Foundation

@testable import KVCompress

/// Attention in double precision, straight from the definition.
struct AttentionReference {
    var scale: Double
    var softcap = 0.0

    init(keyDim: Int) { scale = 1 / Double(keyDim).squareRoot() }

    /// The output of one query over the entries at or before `position`; zeros when there are none.
    func output(
        _ query: [Float],
        over entries: CompressedCache.Entries,
        upTo position: Int32? = nil
    ) -> [Double] {
        let valueDim = entries.values.count / max(entries.positions.count, 1)
        let visible = entries.positions.indices.filter {
            position == nil || entries.positions[$0] <= position!
        }
        let logits = visible.map { entry -> Double in
            var dot = 0.0
            for (c, q) in query.enumerated() {
                dot += Double(q) * Double(entries.keys[entry * query.count + c])
            }
            dot *= scale
            if softcap > 0 { dot = softcap * tanh(dot / softcap) }
            return dot + log(Double(entries.votes[entry]))
        }
        var output = [Double](repeating: 0, count: valueDim)
        guard let top = logits.max() else { return output }
        let weights = logits.map { exp($0 - top) }
        let sum = weights.reduce(0, +)
        for (weight, entry) in zip(weights, visible) {
            for c in 0..<valueDim {
                output[c] += weight / sum * Double(entries.values[entry * valueDim + c])
            }
        }
        return output
    }

    /// Outputs of all rows of one query head, packed.
    func outputs(
        _ queries: Rows,
        over entries: CompressedCache.Entries,
        positions: [Int32]? = nil
    ) -> [Double] {
        (0..<queries.count).flatMap { output(queries.row($0), over: entries, upTo: positions?[$0]) }
    }
}

/// |a - exact| / |exact| over all rows of a query head.
func relativeError(_ a: [Float], _ exact: [Double]) -> Double {
    precondition(a.count == exact.count)
    var difference = 0.0, size = 0.0
    for (x, y) in zip(a, exact) {
        difference += (Double(x) - y) * (Double(x) - y)
        size += y * y
    }
    guard difference > 0 else { return difference.isNaN ? .infinity : 0 }
    return (difference / size).squareRoot()
}

extension CompressedCache {
    /// The worst relative error of a query head against the reference over the exported entries.
    func worstError(
        _ queries: [Rows],
        layer: Int,
        options: AttentionOptions = AttentionOptions()
    ) throws -> Double {
        var reference = AttentionReference(keyDim: geometry[layer].keyDim)
        if let scale = options.scale { reference.scale = Double(scale) }
        reference.softcap = Double(options.softcap)
        let group = queries.count / geometry[layer].kvHeads
        let exported = (0..<geometry[layer].kvHeads).map { entries(layer: layer, head: $0) }
        let outputs = try attend(queries, layer: layer, options: options)
        return zip(outputs, queries).enumerated().map { head, pair in
            relativeError(
                pair.0,
                reference.outputs(
                    pair.1,
                    over: exported[head / group],
                    positions: options.positions
                )
            )
        }.max() ?? 0
    }
}
