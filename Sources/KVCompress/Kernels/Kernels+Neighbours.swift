internal import CKVKernels

extension Kernels {
    /// Dots of every row with the next one, in any plain format: one fewer than rows.
    func neighbourDots(of rows: Rows, to dots: UnsafeMutablePointer<Float>) {
        let chunk = max(2, 16384 / rows.dim)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk * rows.dim) { scratch in
            // Chunks share a row, so that no pair is missed between them.
            for start in stride(from: 0, to: rows.count - 1, by: chunk - 1) {
                let range = start..<min(start + chunk, rows.count)
                convert(rows, rows: range, to: scratch.baseAddress!)
                kv_dot_adjacent(
                    isa, dots + start, scratch.baseAddress!, rows.dim, range.count, rows.dim)
            }
        }
    }

    /// Of every token the dot of the whole rows of two sets of heads, and their norms.
    func pairs(
        _ a: [Rows], _ b: [Rows], _ body: (_ dot: Float, _ normA: Float, _ normB: Float) -> Void
    ) {
        let dim = a.reduce(0) { $0 + $1.dim }, count = a[0].count
        let chunk = max(1, 8192 / dim)
        var rows = [Float](repeating: 0, count: 2 * chunk * dim)
        var head = [Float](repeating: 0, count: chunk * (a + b).map(\.dim).max()!)
        var dots = [Float](repeating: 0, count: 2 * chunk)
        var norms = dots
        for start in stride(from: 0, to: count, by: chunk) {
            let range = start..<min(start + chunk, count)
            // Side by side the two rows of a token are neighbours.
            for (side, heads) in [a, b].enumerated() {
                var offset = side * dim
                for source in heads {
                    convert(source, rows: range, to: &head)
                    for token in 0..<range.count {
                        let place = token * 2 * dim + offset
                        rows.replaceSubrange(
                            place..<place + source.dim,
                            with: head[token * source.dim..<(token + 1) * source.dim])
                    }
                    offset += source.dim
                }
            }
            kv_dot_adjacent(isa, &dots, rows, dim, 2 * range.count, dim)
            kv_norm_rows(isa, &norms, rows, dim, 2 * range.count, dim)
            for token in 0..<range.count {
                body(dots[2 * token], norms[2 * token], norms[2 * token + 1])
            }
        }
    }
}
