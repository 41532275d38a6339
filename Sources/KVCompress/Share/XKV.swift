/// The values of adjacent layers share coefficients in one basis.
///
/// Rows of all heads of a group of layers stand side by side, tokens x (layers x heads x dim); its best
/// approximation of some rank is stored as coefficients, one row per token for the whole group, and a
/// map for every layer and head. Keys stay as they are: after RoPE they have no such basis, which the
/// paper finds before it.
struct XKV: Sharer {
    static let identity = MethodIdentity(
        name: "xkv",
        summary: "groups of adjacent layers share coefficients of their values in one basis",
        source: "xKV, arXiv 2503.18893, section 3 (values; keys would need the state before RoPE)",
        differs:
            "values only: the paper's keys are those before RoPE, which a cache no longer "
            + "holds",
        parameters: [
            ParameterDescription("layers", .count(2...Int.max), default: "2", "layers of a group"),
            ParameterDescription(
                "rank", .rank, default: "90%",
                "coefficients of a token for the whole group, or the energy that they hold; at most \(mostRank)"
            ),
        ])

    /// Rows longer than this no kernel takes.
    static let mostRank = 1024

    let layers: Int
    let rank: Amount

    init(_ arguments: Arguments) throws(CompressionError) {
        layers = arguments.count("layers")
        rank = arguments.amount("rank")!
        if case .tokens(let coefficients) = rank, coefficients > Self.mostRank {
            throw CompressionError(
                .plan,
                "xkv: rank=\(coefficients) is not valid; expected at most \(Self.mostRank), or a share of the energy such as 90%"
            )
        }
    }

    var settings: [String: String] { ["layers": "\(layers)", "rank": rank.description] }

    var isPerHead: Bool { false }

    func groups(layers: Int) -> [Range<Int>] {
        stride(from: 0, to: layers, by: self.layers).map {
            $0..<$0 + min(self.layers, layers - $0)
        }
    }

    func retained(_ keys: CommonRows, remarks: inout [String]) -> [[Bool]]? {
        keys.counts.map { [Bool](repeating: false, count: $0) }
    }

    func shared(_ side: Side, _ rows: CommonRows) -> SharedRows? {
        guard side == .values, let count = rows.counts.first, count > 0 else { return nil }
        let heads = rows.counts.count
        let width = rows.rows.count * heads * rows.dim
        let basis = TokenBasis(matrix(rows, width: width), width: width) { energies in
            min(Self.mostRank, rank.rank(of: energies))
        }
        let largest = basis.coefficients.reduce(0) { max($0, $1.magnitude) }
        guard largest <= RowPairs.largestNorm else { return nil }
        let coefficients = rows.allocator.scratch(Float.self, basis.coefficients.count)
        coefficients.pointer.update(from: basis.coefficients, count: basis.coefficients.count)
        let bases = rows.rows.indices.map { layer in
            (0..<heads).map { head in
                Basis(
                    matrix: basis.block((layer * heads + head) * rows.dim, dim: rows.dim),
                    dim: rows.dim, allocator: rows.allocator, kernels: rows.kernels)
            }
        }
        return SharedRows(
            rows: [DraftRows(packed: coefficients, count: count, dim: basis.rank)], dim: basis.rank,
            norms: nil, bases: bases)
    }

    /// The rows of all layers and heads side by side.
    private func matrix(_ rows: CommonRows, width: Int) -> [Float] {
        let count = rows.counts[0]
        return [Float](unsafeUninitializedCapacity: count * width) { matrix, initialized in
            let floats = rows.allocator.scratch(Float.self, CommonRows.chunk * rows.dim)
            for (layer, heads) in rows.rows.enumerated() {
                for (head, some) in heads.enumerated() {
                    let column = (layer * heads.count + head) * rows.dim
                    for first in stride(from: 0, to: count, by: CommonRows.chunk) {
                        let range = first..<min(first + CommonRows.chunk, count)
                        some.write(range, to: floats.pointer, kernels: rows.kernels)
                        for row in range {
                            (matrix.baseAddress! + row * width + column).initialize(
                                from: floats.pointer + (row - first) * rows.dim, count: rows.dim)
                        }
                    }
                }
            }
            initialized = count * width
        }
    }
}
