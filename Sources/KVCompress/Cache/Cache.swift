/// The shape of one layer: how many kv heads, how many query heads share them, and how long rows are.
public struct LayerGeometry: Hashable, Sendable, Codable {
    /// Heads that have keys and values.
    public var kvHeads: Int
    /// Elements of a key (and of a query).
    public var keyDim: Int
    /// Elements of a value (and of an output).
    public var valueDim: Int

    /// Creates a geometry.
    public init(kvHeads: Int, keyDim: Int, valueDim: Int) {
        self.kvHeads = kvHeads
        self.keyDim = keyDim
        self.valueDim = valueDim
    }

    /// Whether there can be such a layer.
    var isValid: Bool {
        kvHeads > 0 && (1...1024).contains(keyDim) && (1...1024).contains(valueDim)
    }
}

/// One layer of a full cache: keys after RoPE, values, and the queries that were observed, if any.
public struct CacheLayer: Sendable {
    /// Keys, one `Rows` per kv head, each `tokens x keyDim`.
    public var keys: [Rows]
    /// Values, one `Rows` per kv head, each `tokens x valueDim`.
    public var values: [Rows]
    /// Queries after RoPE, one `Rows` per query head, of the last n positions; nil when not recorded.
    public var queries: [Rows]?
    /// What the rows were before; nil when they are tokens.
    var origins: LayerOrigins?

    /// Creates a layer from its heads' rows.
    public init(keys: [Rows], values: [Rows], queries: [Rows]? = nil) {
        self.keys = keys
        self.values = values
        self.queries = queries
    }

    /// The layer's shape.
    public var geometry: LayerGeometry {
        LayerGeometry(kvHeads: keys.count, keyDim: keys[0].dim, valueDim: values[0].dim)
    }

    /// Query heads per kv head, nil without queries.
    public var group: Int? { queries.map { $0.count / keys.count } }

    /// The largest magnitude that a side's rows may have.
    func limit(_ side: Side, for encode: EncodeConfiguration?, projected: Bool) -> Float {
        encode?.limit(side, geometry, projected: projected) ?? .greatestFiniteMagnitude
    }
}

/// A full key-value cache, as a prefill leaves it: the input of every plan.
public struct Cache: Sendable {
    /// The layers, first to last.
    public let layers: [CacheLayer]
    /// Tokens in every layer.
    public let tokens: Int
    /// What the source says of itself (model, RoPE parameters), carried along unread.
    public var metadata: [String: String]

    /// Checks the shapes and creates a cache.
    ///
    /// - Throws: `CompressionError` naming the layer and head whose shape does not fit.
    public init(layers: [CacheLayer], metadata: [String: String] = [:]) throws(CompressionError) {
        guard let first = layers.first?.keys.first else {
            throw CompressionError(.cache, "the cache is empty: it has no layers or no kv heads")
        }
        tokens = first.count
        guard tokens > 0 else {
            throw CompressionError(.cache, "the cache is empty: it has 0 tokens")
        }
        guard tokens <= Int32.max else {
            throw CompressionError(.cache, "\(tokens) tokens; at most \(Int32.max) are supported")
        }
        self.layers = layers
        self.metadata = metadata
        for (index, layer) in layers.enumerated() { try Self.check(layer, index, tokens: tokens) }
    }

    private static func check(_ layer: CacheLayer, _ index: Int, tokens: Int)
        throws(CompressionError)
    {
        func fail(_ what: String) -> CompressionError {
            CompressionError(.cache, "layer \(index): \(what)")
        }
        guard !layer.keys.isEmpty else { throw fail("no kv heads") }
        guard layer.keys.count == layer.values.count else {
            throw fail("\(layer.keys.count) heads of keys but \(layer.values.count) of values")
        }
        for (name, rows) in [("key", layer.keys), ("value", layer.values)] {
            for (head, r) in rows.enumerated() {
                guard r.count == tokens else {
                    throw fail(
                        "\(name) of head \(head) has \(r.count) tokens, the first layer has \(tokens)"
                    )
                }
                guard r.dim == rows[0].dim, (1...1024).contains(r.dim) else {
                    throw fail(
                        "\(name) of head \(head) has head dim \(r.dim); valid is 1...1024, equal in all heads"
                    )
                }
            }
        }
        guard let queries = layer.queries else { return }
        guard !queries.isEmpty, queries.count % layer.keys.count == 0 else {
            throw fail(
                "\(queries.count) query heads are no multiple of \(layer.keys.count) kv heads")
        }
        guard queries.count / layer.keys.count <= 16 else {
            throw fail(
                "\(queries.count / layer.keys.count) query heads per kv head; at most 16 are supported"
            )
        }
        for (head, r) in queries.enumerated() {
            guard r.dim == layer.keys[0].dim else {
                throw fail(
                    "query head \(head) has head dim \(r.dim), the keys \(layer.keys[0].dim)")
            }
            guard r.count == queries[0].count, r.count > 0, r.count <= tokens else {
                throw fail(
                    "query head \(head) has \(r.count) rows; valid is 1...\(tokens), equal in all heads"
                )
            }
        }
    }

    /// Refuses NaN and infinity, and numbers too large for an encode stage if one is given, naming the
    /// first one's place.
    ///
    /// Reads every element once.
    public func checkValues(for encode: EncodeConfiguration? = nil) throws(CompressionError) {
        try checkValues(for: encode, projected: false)
    }

    /// Projected rows are stored as coefficients.
    func checkValues(
        for encode: EncodeConfiguration?, projected: Bool, workers: Workers = .caller
    ) throws(CompressionError) {
        for (index, layer) in layers.enumerated() {
            // Queries are never stored, so only their finiteness counts.
            let sides: [(String, [Rows], Float)] = [
                ("key", layer.keys, layer.limit(.keys, for: encode, projected: projected)),
                ("value", layer.values, layer.limit(.values, for: encode, projected: projected)),
                ("query", layer.queries ?? [], .greatestFiniteMagnitude),
            ]
            for (name, heads, limit) in sides {
                let firsts = workers.map(heads.count) {
                    Kernels.best.firstBeyond(heads[$0].view, limit: limit)
                }
                guard let head = firsts.firstIndex(where: { $0 != nil }), let found = firsts[head]
                else { continue }
                let token = name == "query" ? tokens - heads[head].count + found.row : found.row
                throw .beyond(
                    limit, found.value, "layer \(index), \(name) head \(head), token \(token)")
            }
        }
    }

    /// Whether all queries are finite.
    var hasFiniteQueries: Bool {
        layers.allSatisfy { layer in
            (layer.queries ?? []).allSatisfy {
                Kernels.best.firstBeyond($0.view, limit: .greatestFiniteMagnitude) == nil
            }
        }
    }

    /// The first `count` tokens, with the queries that stand before them.
    public func prefix(_ count: Int) throws(CompressionError) -> Cache {
        precondition(count >= 0 && count <= tokens)
        let layers = self.layers.map { layer in
            let queries = layer.queries.flatMap { heads -> [Rows]? in
                let kept = heads[0].count - (tokens - count)
                return kept > 0 ? heads.map { $0[0..<kept] } : nil
            }
            return CacheLayer(
                keys: layer.keys.map { $0[0..<count] }, values: layer.values.map { $0[0..<count] },
                queries: queries)
        }
        return try Cache(layers: layers, metadata: metadata)
    }

    /// Bytes of this cache's keys and values in f16, in the same kv-head layout: what ratios divide.
    public var f16Bytes: Int {
        layers.reduce(0) { total, layer in
            let geometry = layer.geometry
            return total + 2 * tokens * geometry.kvHeads * (geometry.keyDim + geometry.valueDim)
        }
    }
}
