/// Rows are stored as coefficients in the directions that hold most of their energy.
///
/// The directions of a kv head are eigenvectors of a Gram matrix: for keys that of the keys plus that of the
/// given queries, each divided by its trace, since only what both have shows in their dots; for values that
/// of the values. Queries are projected once, and attention runs over coefficients. A basis that
/// would take more bytes than it saves is not used.
///
/// `rope=undo` finds the directions of keys and queries before RoPE, where fewer hold as much; attention
/// turns a block's keys again at their positions. A merged key has its pivot's position, and that is the
/// one that is undone.
struct LowRank: Projector {
    /// What becomes of RoPE before keys are projected.
    enum Rotation: String, CaseIterable { case keep, undo }

    static let identity = MethodIdentity(
        name: "lowrank",
        summary: "stores coefficients of keys, values or both in their strongest directions",
        source:
            "Eigen Attention, arXiv 2408.05646, section 3; MatryoshkaKV, arXiv 2410.14731 (without training)",
        differs:
            "ranks from the cache itself instead of a calibration set, and bases are applied to queries and "
            + "outputs instead of being multiplied into the model's weights; energies are sums of eigenvalues, "
            + "not of singular values",
        parameters: [
            ParameterDescription(
                "keys", .rank, default: nil,
                "coefficients of a key, or the energy (sum of eigenvalues) that they hold; not given: as they are"
            ),
            ParameterDescription("values", .rank, default: nil, "the same for values"),
            ParameterDescription(
                "rope", .words(Rotation.self), default: "keep",
                "undo: directions of keys before RoPE, from the cache's metadata"),
        ])

    let keys: Amount?
    let values: Amount?
    let rope: Rotation

    init(_ arguments: Arguments) throws(CompressionError) {
        keys = arguments.amount("keys")
        values = arguments.amount("values")
        rope = arguments.word("rope")
        guard keys != nil || values != nil else {
            throw CompressionError(
                .plan,
                "lowrank: 'keys' and 'values' are missing; expected at least one, such as keys=90%")
        }
        guard rope == .keep || keys != nil else {
            throw CompressionError(.plan, "lowrank: rope=undo needs keys, such as keys=90%")
        }
    }

    var settings: [String: String] {
        ["keys": keys?.description, "values": values?.description, "rope": rope.rawValue]
            .compactMapValues { $0 }
    }

    func prepare(
        _ observation: Observation, remarks: inout [String]
    ) throws(CompressionError) {
        if keys != nil, observation.queries == 0 {
            remarks.append(
                "lowrank: without queries, the directions of keys are those of the keys alone")
        }
        guard rope == .undo else { return }
        let cache = observation.cache
        let rope = try RoPE(metadata: cache.metadata)
        for (index, layer) in cache.layers.enumerated()
        where !rope.isValid(dim: layer.geometry.keyDim) {
            throw CompressionError(
                .cache,
                "layer \(index): RoPE of \(rope.dims.map { "\($0)" } ?? "all") elements does not fit key dim \(layer.geometry.keyDim)"
            )
        }
        if let scaling = cache.metadata["rope_scaling"] {
            remarks.append(
                "lowrank: RoPE is undone without rope_scaling=\(scaling), which costs directions, not exactness"
            )
        }
    }

    func basis(_ side: Side, _ input: ProjectInput) -> Basis? {
        guard let rank = side == .keys ? keys : values else { return nil }
        // `prepare` has refused caches that do not say how they are turned.
        let rope =
            side == .keys && rope == .undo
            ? try? RoPE(metadata: input.observation.cache.metadata) : nil
        var sources = [
            Array(UnsafeBufferPointer(start: input.rows.pointer, count: input.count * input.dim))
        ]
        rope?.undo(&sources[0], dim: input.dim, positions: input.positions, kernels: input.kernels)
        if side == .keys {
            sources.append(
                input.queries.flatMap { rows in
                    var floats = rows.floats()
                    let tokens = input.observation.pastTokens(layer: input.layers.lowerBound)
                    rope?.undo(
                        &floats, dim: input.dim,
                        positions: Array(tokens - UInt32(rows.count)..<tokens),
                        kernels: input.kernels)
                    return floats
                })
        }
        let axes = PrincipalAxes(of: sources, dim: input.dim)
        var basis = Basis(
            matrix: axes.strongest(rank.rank(of: axes.energies)), dim: input.dim,
            allocator: input.allocator, kernels: input.kernels)
        basis.rope = rope
        return basis
    }
}
