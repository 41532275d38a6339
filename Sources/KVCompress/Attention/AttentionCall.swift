/// What is asked of attention: queries, how, and where outputs go.
///
/// Threads read it while the call lasts, whose caller keeps alive what it points to.
protocol AttentionCall: Sendable {
    var options: AttentionOptions { get }
    var outputs: OutputBlock { get }
    /// Query heads per kv head.
    var group: Int { get }
    /// Packs the queries of kv heads, as f32.
    func pack(
        _ heads: Range<Int>, _ tokens: Range<Int>, to floats: UnsafeMutablePointer<Float>,
        _ kernels: Kernels)
}

/// The call for a kind of rows.
struct RowsCall<Queries: HeadRows>: AttentionCall, @unchecked Sendable {
    let queries: Queries
    let group: Int
    let options: AttentionOptions
    /// What is done to the queries before.
    let turn: Turn?
    let outputs: OutputBlock

    func pack(
        _ heads: Range<Int>, _ tokens: Range<Int>, to floats: UnsafeMutablePointer<Float>,
        _ kernels: Kernels
    ) {
        let members = heads.lowerBound * group..<heads.upperBound * group
        let dim = queries.head(members.lowerBound).dim
        for (place, head) in members.enumerated() {
            kernels.convert(
                queries.head(head)[tokens], to: floats + place * tokens.count * dim)
        }
        turn?.apply(to: floats, count: members.count * tokens.count, dim: dim, kernels: kernels)
    }
}

extension AttentionCall {
    /// Writes what the rows of a kv head come to; nil: it attends to nothing, which gives zeros.
    func finish(_ state: FoldState?, head: Int, tokens: Range<Int>, _ kernels: Kernels) {
        // Rows that follow each other in memory are written at once.
        let rows = tokens.count * group
        let run = outputs.tokensFirst ? 1 : outputs.tokens == tokens.count ? rows : tokens.count
        for row in stride(from: 0, to: rows, by: run) {
            let (member, token) = row.quotientAndRemainder(dividingBy: tokens.count)
            let output = outputs.row(head * group + member, tokens.lowerBound + token)
            if let state {
                kernels.finish(state[row..<row + run], output: output)
            } else {
                output.update(repeating: 0, count: run * outputs.dim)
            }
        }
    }
}

extension LayerView {
    /// Query heads per kv head, once it is known that the queries fit.
    func checkedGroup(
        of queries: some HeadRows, _ options: AttentionOptions
    ) throws(CompressionError) -> Int {
        let heads = settled.heads.count
        guard queries.count > 0, queries.count % heads == 0 else {
            throw CompressionError(
                .layer, "\(queries.count) query heads are no multiple of \(heads) kv heads")
        }
        guard queries.count / heads <= 16 else {
            throw CompressionError(
                .layer,
                "\(queries.count / heads) query heads per kv head; at most 16 are supported")
        }
        let n = queries.head(0).count
        for head in 0..<queries.count {
            let rows = queries.head(head)
            guard rows.dim == geometry.keyDim else {
                throw CompressionError(
                    .layer,
                    "query head \(head) has head dim \(rows.dim), the keys have \(geometry.keyDim)")
            }
            guard rows.count == n else {
                throw CompressionError(
                    .layer, "query head \(head) has \(rows.count) rows, head 0 has \(n)")
            }
        }
        if let positions = options.positions, positions.count != n {
            throw CompressionError(.layer, "\(positions.count) positions for \(n) query rows")
        }
        return queries.count / heads
    }
}
