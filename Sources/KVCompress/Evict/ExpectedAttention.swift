/// What queries like the given ones are expected to attend to, weighed by the value's length.
///
/// For normally distributed queries of mean m and covariance C the expected weight exp(q·k/√d) of a key is
/// exp(z) with z = m·k/√d + kᵀCk/(2d). The paper estimates m and C before RoPE, from hidden states, and
/// rotates them to the mean of the next 512 positions; here they are those of the last given queries after
/// RoPE, which stand near the next ones: the more of them, the less is left of what depends on distance.
struct ExpectedAttention: Scorer {
    static let identity = ScorerIdentity(
        name: "expected-attention",
        summary:
            "keeps what queries distributed like the given ones would attend to, times the value's norm",
        source: "Expected Attention, arXiv 2510.00636, section 3",
        differs:
            "mean and covariance of the last given queries after RoPE stand for those of "
            + "hidden states before it, turned to the next 512 positions: a cache holds no "
            + "hidden states",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "observe",
                .count(1...Int.max),
                default: "32",
                "the last queries, whose distribution counts (all, when there are fewer)"
            ),
            ParameterDescription(
                "epsilon",
                .share,
                default: "0%",
                "added to every token's attention, so that long values count more"
            ),
        ]
    )

    let observe: Int
    let epsilon: Share

    init(_ arguments: Arguments) {
        observe = arguments.count("observe")
        epsilon = arguments.share("epsilon")
    }

    var settings: [String: String] {
        ["observe": "\(observe)", "epsilon": epsilon.description]
    }

    func scores(_ observation: Observation) throws(CompressionError) -> [Scores] {
        try observation.requireQueries(for: Self.identity.name)
        let norms = observation.valueNorms(), epsilon = epsilon.fraction, observe = observe
        return observation.perQueryHead { layer, head, row in
            let cache = observation.cache.layers[layer]
            guard let queries = cache.queries, let group = cache.group else { return }
            let last = max(0, queries[head].count - observe)..<queries[head].count
            Self.expect(queries[head][last], cache.keys[head / group], observation, into: row)
            let lengths = norms[layer][head / group].pointer
            for token in 0..<observation.cache.tokens {
                row[token] = (row[token] + epsilon) * lengths[token]
            }
        }
    }

    /// The softmax of z over the tokens.
    private static func expect(
        _ queries: Rows,
        _ keys: Rows,
        _ observation: Observation,
        into row: UnsafeMutablePointer<Float>
    ) {
        let kernels = observation.kernels, count = queries.count, dim = keys.dim
        let mean = observation.allocator.buffer(Float.self, dim)
        let centred = observation.allocator.buffer(Float.self, count * dim)
        let even = [Float](repeating: 1 / Float(count), count: count)
        kernels.weightedSum(of: queries, weights: even, to: mean.pointer)
        kernels.convert(queries, rows: 0..<count, to: centred.pointer)
        for index in 0..<count * dim { centred.pointer[index] -= mean.pointer[index % dim] }
        kernels.dots(
            mean.pointer, rows: 1, with: keys, count: keys.count, to: row, stride: keys.count)

        // kᵀCk is the mean square of the products with the centred queries, so C itself is never needed.
        let others = Rows(
            storage: centred.storage,
            byteOffset: 0,
            format: .f32,
            count: count,
            dim: dim
        )
        let height = min(64, keys.count)
        let packed = observation.allocator.buffer(Float.self, height * dim)
        let products = observation.allocator.buffer(Float.self, height * count)
        let lengths = observation.allocator.buffer(Float.self, height)
        let root = Float(Double(dim).squareRoot())
        for start in stride(from: 0, to: keys.count, by: height) {
            let block = start..<min(start + height, keys.count)
            kernels.convert(keys, rows: block, to: packed.pointer)
            kernels.dots(
                packed.pointer,
                rows: block.count,
                with: others,
                count: count,
                to: products.pointer,
                stride: count
            )
            kernels.norms(products.pointer, count: block.count, dim: count, to: lengths.pointer)
            for token in block {
                let length = lengths.pointer[token - start]
                row[token] = row[token] / root + length * length / Float(2 * dim * count)
            }
        }
        kernels.softmax(row, count: keys.count)
    }
}
