/// What the reference queries of one kv head see of its full cache: what kept entries are fitted to.
///
/// The reference queries are the observed ones of all query heads of the group, each at its own position;
/// when they are more than `mostRows`, evenly spaced positions among them, the last one included.
struct ReferenceAttention {
    /// The most query rows that a head is fitted to: work and memory grow with them.
    static let mostRows = 1024
    /// The largest share of an entry, whose key may have changed beyond all proportion: its square is a float.
    static let largestShare: Float = 1e9

    /// Query rows, head by head.
    let rows: Int
    /// `rows x valueDim`: the full cache's outputs.
    let outputs: Buffer<Float>
    /// Where each row's query stands.
    private let positions: [Int]
    private let queries: Buffer<Float>
    private let keyDim: Int
    private let scale: Float
    /// The largest logit of each row over the full cache, and the sum of exp(logit - largest).
    private let maximum: [Float], sum: [Float]
    private let kernels: Kernels
    private let allocator: Allocator

    /// Reads the head's keys and values once for every 64 rows; logits exist for so many rows at a time.
    init(_ observation: Observation, layer index: Int, head: Int) {
        let cache = observation.cache, layer = cache.layers[index]
        guard let given = layer.queries, let group = layer.group else {
            preconditionFailure("no queries")
        }
        let keys = layer.keys[head], values = layer.values[head], observed = given[0].count
        let count = min(observed, Self.mostRows / group)
        let chosen = (1...count).map { $0 * observed / count - 1 }
        (kernels, allocator, keyDim) = (observation.kernels, observation.allocator, keys.dim)
        scale = 1 / Float(keyDim).squareRoot()
        rows = group * count
        positions = (0..<group).flatMap { _ in chosen.map { cache.tokens - observed + $0 } }
        queries = allocator.buffer(Float.self, rows * keyDim)
        for member in 0..<group {
            DraftRows(given[head * group + member], chosen.map { UInt32($0) }).write(
                0..<count, to: queries.pointer + member * count * keyDim, kernels: kernels)
        }
        outputs = allocator.buffer(Float.self, rows * values.dim)
        var maximum: [Float] = [], sum: [Float] = []
        let block = min(64, rows), tokens = cache.tokens
        let logits = allocator.buffer(Float.self, block * tokens)
        let states = allocator.buffer(Float.self, FoldState.floats(rows: block, dim: values.dim))
        var rescale = [Float](repeating: 1, count: block)
        for first in stride(from: 0, to: rows, by: block) {
            let count = min(block, rows - first)
            let state = FoldState(adopting: states.pointer, rows: count, dim: values.dim)
            state.clear()
            kernels.dots(
                queries.pointer + first * keyDim, rows: count, with: keys, count: tokens,
                to: logits.pointer, stride: tokens)
            kernels.softmaxFold(
                logits: logits.pointer, stride: tokens, rows: count, n: tokens,
                visible: positions[first..<first + count].map { UInt32($0 + 1) }, scale: scale,
                softcap: 0, vectors: EntryVectors(), state: state, rescale: &rescale)
            kernels.accumulate(
                values.format, accumulator: state.accumulator, rescale: rescale, rows: count,
                dim: values.dim, weights: logits.pointer, weightsStride: tokens,
                values: values.base, stride: values.stride, n: tokens, indices: nil)
            kernels.finish(state, output: outputs.pointer + first * values.dim)
            maximum += UnsafeBufferPointer(start: state.maximum, count: count)
            sum += UnsafeBufferPointer(start: state.sum, count: count)
        }
        (self.maximum, self.sum) = (maximum, sum)
        withExtendedLifetime((logits, states)) {}
    }

    /// exp(logit) of every entry over the full cache's sum of exp(logit), at most `largestShare`: rows x entries;
    /// 0 where the entry stands behind the query.
    ///
    /// - Parameter entries: their keys as attention sees them, packed, and ascending positions.
    func shares(of entries: (keys: Buffer<Float>, positions: [UInt32])) -> Buffer<Float> {
        folded(entries, bias: nil, from: (maximum, sum)) { row, _, rescale in
            max(sum[row] * rescale, 1 / Self.largestShare)
        }
    }

    /// Attention over the entries alone, with logit biases: rows x entries, each row of sum 1, or of zeros
    /// when the query sees no entry.
    func attention(
        to entries: (keys: Buffer<Float>, positions: [UInt32]), bias: [Float]
    ) -> Buffer<Float> {
        let empty = (
            [Float](repeating: -.infinity, count: rows), [Float](repeating: 0, count: rows)
        )
        return folded(entries, bias: bias, from: empty) { _, sum, _ in sum }
    }

    /// Weights of the entries under states that begin with `start`, divided by what `total` says of a row.
    private func folded(
        _ entries: (keys: Buffer<Float>, positions: [UInt32]), bias: [Float]?,
        from start: (maximum: [Float], sum: [Float]),
        total: (_ row: Int, _ sum: Float, _ rescale: Float) -> Float
    ) -> Buffer<Float> {
        let count = entries.positions.count
        let weights = allocator.buffer(Float.self, rows * count)
        kernels.dots(
            queries.pointer, rows: rows,
            with: Rows(
                storage: entries.keys.storage, byteOffset: 0, format: .f32, count: count,
                dim: keyDim), count: count,
            to: weights.pointer, stride: count)
        // Rows of a query head and entries both ascend.
        var visible: [UInt32] = [], seen = 0
        for position in positions {
            if let last = visible.indices.last, position < positions[last] { seen = 0 }
            while seen < count, entries.positions[seen] <= position { seen += 1 }
            visible.append(UInt32(seen))
        }
        var (maximum, sum) = start
        var rescale = [Float](repeating: 1, count: rows), none: Float = 0
        (bias ?? []).withUnsafeBufferPointer { bias in
            maximum.withUnsafeMutableBufferPointer { maximum in
                sum.withUnsafeMutableBufferPointer { sum in
                    let state = FoldState(
                        maximum: maximum.baseAddress!, sum: sum.baseAddress!, accumulator: &none,
                        rows: rows, dim: 0)
                    kernels.softmaxFold(
                        logits: weights.pointer, stride: count, rows: rows, n: count,
                        visible: visible, scale: scale, softcap: 0,
                        vectors: EntryVectors(logitBias: bias.isEmpty ? nil : bias.baseAddress),
                        state: state, rescale: &rescale)
                }
            }
        }
        for row in 0..<rows {
            let total = total(row, sum[row], rescale[row])
            let factor = total > 0 ? 1 / total : 0
            for entry in 0..<count { weights.pointer[row * count + entry] *= factor }
        }
        withExtendedLifetime((weights, queries, entries.keys)) {}
        return weights
    }
}
