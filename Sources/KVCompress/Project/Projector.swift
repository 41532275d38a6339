/// Finds fewer dimensions for the rows of one kv head.
protocol Projector: StageMethod {
    /// Asks the observation for all that `basis` will read of it, before heads are encoded in parallel.
    ///
    /// Throws when the cache lacks it; what else people should know goes to the remarks.
    func prepare(
        _ observation: Observation, remarks: inout [String]
    ) throws(CompressionError)

    /// The basis through which a side's rows are stored; nil when they are stored as they are.
    func basis(_ side: Side, _ input: ProjectInput) -> Basis?
}

extension Projector {
    static var method: MethodDescription { method(.project) { $1.projector = $0 } }
}

/// Rows of one kv head that go through one basis.
struct ProjectInput {
    let observation: Observation
    /// The layers that store these rows: one, or those that share them.
    let layers: Range<Int>
    let head: Int
    /// Packed `count x dim`.
    let rows: Buffer<Float>
    let count: Int
    let dim: Int
    /// Original positions of the rows.
    let positions: [UInt32]

    var kernels: Kernels { observation.kernels }
    var allocator: Allocator { observation.allocator }

    /// The queries of the head's group in all its layers, those of the cache's last positions.
    var queries: [Rows] {
        layers.flatMap { layer -> ArraySlice<Rows> in
            let layer = observation.cache.layers[layer]
            guard let queries = layer.queries, let group = layer.group else { return [] }
            return queries[head * group..<(head + 1) * group]
        }
    }
}
