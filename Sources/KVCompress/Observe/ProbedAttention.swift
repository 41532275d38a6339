/// Queries that stand for all of them, where all would take too long (ZipCache, arXiv 2405.14256, section 4.3).
struct Probe: Hashable, Sendable {
    /// Share of the queries that are taken from the newest, and as many again at random from the others.
    static let share = Share(millionths: 50_000)
    /// Fewer probes than these are not worth the error: all queries are taken.
    static let least = 64

    var seed = 0

    /// The queries to look at, ascending.
    func queries(of count: Int) -> [Int] {
        let each = Self.share.of(count)
        guard 2 * each >= Self.least else { return Array(0..<count) }
        let older = (0..<count - each).map { (noise(seed, $0), $0) }.sorted(by: <)
        return older.prefix(each).map(\.1).sorted() + Array(count - each..<count)
    }
}

extension Observation {
    /// Attention that every key of a kv head received from the probes, `[token]`: the sum divided by how many
    /// of them could see it, averaged over the group.
    ///
    /// Scratch is 64 rows of logits.
    func attention(_ probe: Probe, layer index: Int, head: Int) -> [Float] {
        let layer = cache.layers[index], tokens = cache.tokens
        guard let queries = layer.queries, let group = layer.group else {
            preconditionFailure("no queries")
        }
        let keys = layer.keys[head], count = queries[0].count
        let probes = probe.queries(of: count)
        let packed = allocator.buffer(Float.self, 64 * keys.dim)
        let logits = allocator.buffer(Float.self, 64 * tokens)
        let sums = allocator.buffer(Float.self, tokens)
        let scale = Float(1 / Double(keys.dim).squareRoot())
        for member in 0..<group {
            for first in stride(from: 0, to: probes.count, by: 64) {
                let block = probes[first..<min(first + 64, probes.count)]
                let visible = block.map { UInt32(tokens - count + $0 + 1) }
                for (row, query) in block.enumerated() {
                    kernels.convert(
                        queries[head * group + member], rows: query..<query + 1,
                        to: packed.pointer + row * keys.dim)
                }
                kernels.dots(
                    packed.pointer, rows: block.count, with: keys, count: Int(visible.last!),
                    to: logits.pointer, stride: tokens)
                kernels.observe(
                    logits.pointer, stride: tokens, keys: Int(visible.last!), visible: visible,
                    scale: scale, windowStart: 0, threshold: 1
                ) { $0 == .sum ? sums.pointer : nil }
            }
        }
        // Token t is seen by the probes from its own position on; the newest query sees all.
        var unseen = 0
        return (0..<tokens).map { token in
            while tokens - count + probes[unseen] < token { unseen += 1 }
            return sums[token] / Float(group * (probes.count - unseen))
        }
    }
}
