import Foundation
public import KVCompress

extension Model {
    /// Which tokens' logits are computed.
    public enum Logits: Sendable {
        case none, last, all
    }

    /// Tokens that go through the layers together, which bounds the memory of a prefill.
    private static let chunk = 512

    /// Reads tokens behind those in the session, and says what may follow.
    ///
    /// - Parameters:
    ///   - tokens: ids in 0..<vocabulary.
    ///   - session: a session of this model's `geometry`; the tokens are appended to it.
    ///   - wanted: whose logits are returned.
    /// - Returns: `vocabulary` logits for each token that is wanted, packed.
    /// - Throws: `CompressionError` from the session.
    public func read(
        _ tokens: [Int], _ session: CacheSession, logits wanted: Logits = .all
    ) throws(CompressionError) -> [Float] {
        precondition(tokens.allSatisfy { (0..<vocabulary).contains($0) }, "an unknown token")
        var logits: [Float] = []
        for start in stride(from: 0, to: tokens.count, by: Self.chunk) {
            let end = min(start + Self.chunk, tokens.count)
            let stream = try layers(Array(tokens[start..<end]), session)
            switch wanted {
            case .none: break
            case .last: if end == tokens.count { logits = head(stream.suffix(configuration.width)) }
            case .all: logits += head(stream[...])
            }
        }
        return logits
    }

    /// The residual stream of tokens behind all layers.
    private func layers(
        _ tokens: [Int], _ session: CacheSession
    ) throws(CompressionError) -> [Float] {
        let width = configuration.width, count = tokens.count
        let positions = session.position..<session.position + count
        var stream = [Float](repeating: 0, count: count * width)
        stream.withUnsafeMutableBufferPointer { stream in
            for (row, token) in tokens.enumerated() {
                weights.embedding.decode(
                    rows: token..<token + 1, to: stream.baseAddress! + row * width)
            }
        }
        for (index, layer) in weights.layers.enumerated() {
            add(try attention(stream, layer, index, positions, session), to: &stream)
            add(feedForward(stream, layer), to: &stream)
        }
        return stream
    }

    private func attention(
        _ stream: [Float], _ layer: LayerWeights, _ index: Int, _ positions: Range<Int>,
        _ session: CacheSession
    ) throws(CompressionError) -> [Float] {
        let shape = configuration, count = positions.count
        let inputs = normalized(stream[...], layer.attentionNorm)

        /// What a layer makes of the inputs, a row of every head for each token.
        func rows(_ linear: Linear, _ heads: Int, _ dim: Int, turned: Bool) -> [Float] {
            var rows = linear.apply(inputs, count: count)
            if turned {
                rows.withUnsafeMutableBufferPointer {
                    shape.rotary.turn(
                        $0.baseAddress!, heads: heads, dim: dim, positions: positions)
                }
            }
            return rows
        }
        func block(_ rows: UnsafeBufferPointer<Float>, _ heads: Int, _ dim: Int) -> RowBlock {
            RowBlock(
                unsafe: rows.baseAddress!, heads: heads, tokens: count, dim: dim,
                tokensFirst: true)
        }
        let keys = rows(layer.key, shape.kvHeads, shape.keyDim, turned: true)
        let values = rows(layer.value, shape.kvHeads, shape.valueDim, turned: false)
        try keys.withUnsafeBufferPointer { keys throws(CompressionError) in
            try values.withUnsafeBufferPointer { values throws(CompressionError) in
                try session.append(
                    layer: index, keys: block(keys, shape.kvHeads, shape.keyDim),
                    values: block(values, shape.kvHeads, shape.valueDim))
            }
        }
        let queries = rows(layer.query, shape.queryHeads, shape.keyDim, turned: true)
        var outputs = [Float](repeating: 0, count: count * shape.queryHeads * shape.valueDim)
        try outputs.withUnsafeMutableBufferPointer { outputs throws(CompressionError) in
            try queries.withUnsafeBufferPointer { queries throws(CompressionError) in
                try session.attend(
                    layer: index, queries: block(queries, shape.queryHeads, shape.keyDim),
                    into: outputs)
            }
        }
        return layer.output.apply(outputs, count: count)
    }

    /// SwiGLU (arXiv 2002.05202).
    private func feedForward(_ stream: [Float], _ layer: LayerWeights) -> [Float] {
        let count = stream.count / configuration.width
        let inputs = normalized(stream[...], layer.feedForwardNorm)
        var inner = layer.gate.apply(inputs, count: count)
        let up = layer.up.apply(inputs, count: count)
        for index in inner.indices {
            inner[index] *= up[index] / (1 + exp(-inner[index]))
        }
        return layer.down.apply(inner, count: count)
    }

    private func head(_ stream: ArraySlice<Float>) -> [Float] {
        Linear(matrix: weights.head ?? weights.embedding, bias: nil).apply(
            normalized(stream, weights.finalNorm), count: stream.count / configuration.width)
    }

    /// RMSNorm (arXiv 1910.07467) of rows.
    private func normalized(_ rows: ArraySlice<Float>, _ weights: [Float]) -> [Float] {
        let width = weights.count
        var result = [Float](rows)
        for start in stride(from: 0, to: result.count, by: width) {
            var squares = 0.0
            for index in start..<start + width {
                squares += Double(result[index]) * Double(result[index])
            }
            let mean = squares / Double(width) + Double(configuration.epsilon)
            let factor = Float(1 / mean.squareRoot())
            for index in 0..<width { result[start + index] *= factor * weights[index] }
        }
        return result
    }

    private func add(_ change: [Float], to stream: inout [Float]) {
        for index in stream.indices { stream[index] += change[index] }
    }
}
