import KVFiles

/// What one transformer layer has learned.
struct LayerWeights: Sendable {
    let attentionNorm: [Float]
    var query: Linear
    var key: Linear
    var value: Linear
    var output: Linear
    let feedForwardNorm: [Float]
    var gate: Linear
    var up: Linear
    var down: Linear

    static let linears: [any WritableKeyPath<LayerWeights, Linear> & Sendable] = [
        \.query, \.key, \.value, \.output, \.gate, \.up, \.down,
    ]
}

/// What a model has learned.
struct Weights: Sendable {
    /// `vocabulary x width`.
    var embedding: Matrix
    var layers: [LayerWeights]
    let finalNorm: [Float]
    /// `vocabulary x width`; nil where the embedding serves as the head, too.
    var head: Matrix?

    /// Models that take at most this much memory as f32 are decoded when they are loaded: 512 MiB.
    private static let heldBytes = 512 << 20

    /// Takes every tensor of a model out of the table.
    ///
    /// - Throws: `FileError` for a tensor that is missing, has a wrong shape, or is one too many.
    init(
        _ table: inout WeightTable, _ naming: Naming, _ shape: ModelConfiguration, vocabulary: Int
    ) throws(FileError) {
        func linear(
            _ table: inout WeightTable, _ part: Naming.Part, _ layer: Int, _ rows: Int,
            _ columns: Int
        ) throws(FileError) -> Linear {
            let name = naming.name(part, layer: layer)
            return Linear(
                matrix: try table.matrix(name + ".weight", rows: rows, columns: columns),
                bias: try table.vector(ifPresent: name + ".bias", count: rows))
        }
        func norm(
            _ table: inout WeightTable, _ part: Naming.Part, _ layer: Int
        ) throws(FileError) -> [Float] {
            try table.vector(naming.name(part, layer: layer) + ".weight", count: shape.width)
        }
        let width = shape.width, inner = shape.feedForward
        embedding = try table.matrix(naming.embedding, rows: vocabulary, columns: width)
        layers = []
        for layer in 0..<shape.layers {
            layers.append(
                LayerWeights(
                    attentionNorm: try norm(&table, .attentionNorm, layer),
                    query: try linear(
                        &table, .query, layer, shape.queryHeads * shape.keyDim, width),
                    key: try linear(&table, .key, layer, shape.kvHeads * shape.keyDim, width),
                    value: try linear(&table, .value, layer, shape.kvHeads * shape.valueDim, width),
                    output: try linear(
                        &table, .output, layer, width, shape.queryHeads * shape.valueDim),
                    feedForwardNorm: try norm(&table, .feedForwardNorm, layer),
                    gate: try linear(&table, .gate, layer, inner, width),
                    up: try linear(&table, .up, layer, inner, width),
                    down: try linear(&table, .down, layer, width, inner)))
        }
        finalNorm = try table.vector(naming.finalNorm, count: width)
        head = try table.matrix(ifPresent: naming.head, rows: vocabulary, columns: width)
        try table.checkAllTaken()
        if elements * 4 <= Self.heldBytes { decode() }
    }

    /// Elements of all matrices.
    private var elements: Int {
        let linear = layers.map { layer in
            Self.sum(LayerWeights.linears.map { layer[keyPath: $0].matrix })
        }
        return linear.reduce(0, +) + Self.sum([embedding] + (head.map { [$0] } ?? []))
    }

    private static func sum(_ matrices: [Matrix]) -> Int {
        matrices.reduce(0) { $0 + $1.rows * $1.columns }
    }

    private mutating func decode() {
        embedding = embedding.decoded()
        head = head?.decoded()
        for index in layers.indices {
            for path in LayerWeights.linears {
                layers[index][keyPath: path].matrix = layers[index][keyPath: path].matrix.decoded()
            }
        }
    }
}
