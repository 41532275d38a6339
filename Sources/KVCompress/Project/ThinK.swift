/// Channels of keys that matter least to the last queries are dropped, and their bytes with them.
///
/// The score of channel c is |Q[:,c]|² |K[:,c]|², over the last queries and averaged over the query heads of
/// the group; ties go to the lower channel. Values are as they were. The paper's newest tokens with all
/// channels are the window of the encode stage: `think | kv(window=32)`.
struct ThinK: Projector {
    static let identity = MethodIdentity(
        name: "think",
        summary: "drops the channels of keys that the last queries look at least",
        source: "ThinK, arXiv 2407.21018, section 3",
        differs:
            "channels are dropped from storage, where the published code sets them to zero; the newest tokens with "
            + "all channels are the encode stage's window",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "keep", .share, default: "60%", "share of the channels that stay, above 0%"),
            ParameterDescription(
                "observe", .count(1...Int.max), default: "32",
                "the last queries that count (all, when there are fewer)"),
        ])

    let keep: Share
    let observe: Int

    init(_ arguments: Arguments) throws(CompressionError) {
        keep = arguments.share("keep")
        observe = arguments.count("observe")
        guard keep.millionths > 0 else {
            throw CompressionError(
                .plan, "think: keep=0% is not valid; expected a share of the channels above 0%")
        }
    }

    var settings: [String: String] { ["keep": keep.description, "observe": "\(observe)"] }

    func prepare(
        _ observation: Observation, remarks: inout [String]
    ) throws(CompressionError) {
        try observation.requireQueries(for: Self.identity.name)
        if observation.queries < observe {
            remarks.append(
                "think: observe=\(observe), and the cache carries \(observation.queries) queries; all are observed"
            )
        }
    }

    func basis(_ side: Side, _ input: ProjectInput) -> Basis? {
        guard side == .keys else { return nil }
        let keys = Self.energies(input.rows.pointer, count: input.count, dim: input.dim)
        var queries = [Double](repeating: 0, count: input.dim)
        for rows in input.queries {
            let last = rows[max(0, rows.count - observe)..<rows.count].floats()
            let energies = Self.energies(last, count: last.count / input.dim, dim: input.dim)
            for channel in queries.indices { queries[channel] += energies[channel] }
        }
        // The number of query heads divides all scores alike.
        let scores = zip(keys, queries).map { $0 * $1 }
        let kept = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
            .prefix(max(1, keep.of(input.dim)))
        return Basis(channels: kept.sorted(), dim: input.dim, allocator: input.allocator)
    }

    /// The sum of squares of every channel of packed rows.
    private static func energies(
        _ rows: UnsafePointer<Float>, count: Int, dim: Int
    ) -> [Double] {
        var energies = [Double](repeating: 0, count: dim)
        for row in 0..<count {
            for channel in 0..<dim {
                let number = Double(rows[row * dim + channel])
                energies[channel] += number * number
            }
        }
        return energies
    }
}
