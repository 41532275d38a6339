/// Rows are stored as coefficients in the directions that hold most of their energy.
///
/// The directions of a kv head are eigenvectors of a Gram matrix: for keys that of the keys plus that of the
/// given queries, each divided by its trace, since only what both have shows in their dots; for values that
/// of the values. Queries are projected once, and attention runs over coefficients. A basis that
/// would take more bytes than it saves is not used.
struct LowRank: Projector {
    static let identity = MethodIdentity(
        name: "lowrank",
        summary: "stores coefficients of keys, values or both in their strongest directions",
        source:
            "Eigen Attention, arXiv 2408.05646, section 3; MatryoshkaKV, arXiv 2410.14731 (without training)",
        parameters: [
            ParameterDescription(
                "keys", .rank, default: nil,
                "coefficients of a key, or the energy (sum of eigenvalues) that they hold; not given: as they are"
            ),
            ParameterDescription("values", .rank, default: nil, "the same for values"),
        ])

    let keys: Amount?
    let values: Amount?

    init(_ arguments: Arguments) throws(CompressionError) {
        keys = arguments.amount("keys")
        values = arguments.amount("values")
        guard keys != nil || values != nil else {
            throw CompressionError(
                .plan, "lowrank: 'keys' and 'values' are missing; expected at least one, such as keys=90%")
        }
    }

    var settings: [String: String] {
        ["keys": keys, "values": values].compactMapValues { $0?.description }
    }

    func prepare(
        _ observation: Observation, remarks: inout [String]
    ) throws(CompressionError) {
        if keys != nil, observation.queries == 0 {
            remarks.append("lowrank: without queries, the directions of keys are those of the keys alone")
        }
    }

    func basis(_ side: Side, _ input: ProjectInput) -> Basis? {
        guard let rank = side == .keys ? keys : values else { return nil }
        var sources = [Array(UnsafeBufferPointer(start: input.rows.pointer, count: input.count * input.dim))]
        if side == .keys { sources.append(input.queries.flatMap { $0.floats() }) }
        let axes = PrincipalAxes(of: sources, dim: input.dim)
        return Basis(
            matrix: axes.strongest(rank.rank(of: axes.energies)), dim: input.dim,
            allocator: input.allocator, kernels: input.kernels)
    }
}
