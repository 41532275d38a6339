/// Raw dots of some queries of one kv head's group with the keys.
struct LogitBlock {
    /// The queries of every head of the group that have rows in here.
    let queries: Range<Int>
    /// Keys that each of them sees: query i of n stands at position tokens - n + i.
    let visible: [UInt32]
    /// From one row to the next.
    let stride: Int
    fileprivate let logits: UnsafeMutablePointer<Float>

    /// Keys that the last of the queries sees; no row holds more.
    var seen: Int { Int(visible[visible.count - 1]) }

    /// The rows of one head of the group, one per query.
    func rows(_ member: Int) -> UnsafeMutablePointer<Float> {
        logits + member * queries.count * stride
    }
}

extension Observation {
    /// Dots of the queries of one kv head's group from the query `first` on, in blocks of 64 rows at most, so
    /// that keys are read once per block and there is never tokens x tokens of anything.
    func forEachLogitBlock(
        layer index: Int,
        kvHead: Int,
        from first: Int = 0,
        _ body: (LogitBlock) -> Void
    ) {
        let layer = cache.layers[index]
        guard let queries = layer.queries, let group = layer.group else {
            preconditionFailure("no queries")
        }
        let keys = layer.keys[kvHead], tokens = cache.tokens, count = queries[0].count
        // Raw dots are scaled later, and what entries count for with them.
        let bias = layer.origins?.heads[kvHead].mass.logits(kernels) ?? []
        let root = Float(Double(keys.dim).squareRoot())
        let positions = min(max(1, 64 / group), count)
        let packed = allocator.buffer(Float.self, group * positions * keys.dim)
        let logits = allocator.buffer(Float.self, group * positions * tokens)
        defer { withExtendedLifetime((packed, logits)) {} }

        for start in stride(from: first, to: count, by: positions) {
            let range = start..<min(start + positions, count)
            let block = LogitBlock(
                queries: range,
                visible: range.map { UInt32(tokens - count + $0 + 1) },
                stride: tokens,
                logits: logits.pointer
            )
            for member in 0..<group {
                kernels.convert(
                    queries[kvHead * group + member],
                    rows: range,
                    to: packed.pointer + member * range.count * keys.dim
                )
            }
            kernels.dots(
                packed.pointer,
                rows: group * range.count,
                with: keys,
                count: block.seen,
                to: logits.pointer,
                stride: tokens
            )
            if !bias.isEmpty {
                for row in 0..<group * range.count {
                    let dots = logits.pointer + row * tokens
                    for entry in 0..<block.seen { dots[entry] += bias[entry] * root }
                }
            }
            body(block)
        }
    }
}
