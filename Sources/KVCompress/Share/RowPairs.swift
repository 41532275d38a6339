/// The rows of two layers side by side, each the concatenation of some heads' rows: their angles, norms
/// and common directions. Reads every row once, and once more for its direction.
struct RowPairs {
    /// Norms up to this are stored as halves, with room for a direction that its codec shortens.
    static let largestNorm: Float = 32768

    private let rows: CommonRows
    private let heads: Range<Int>
    let count: Int
    /// Norms of the lower layer's rows, and of the upper one's.
    let norms: [Buffer<Float>]
    /// Cosines of the angles, which are 0 to pi; 1 where a row is zeros.
    let cosines: Buffer<Float>
    let angles: Buffer<Float>
    private let squares: [Buffer<Float>]

    /// Compares the rows of heads that have equally many, in the two layers of `rows`.
    init(_ rows: CommonRows, heads: Range<Int>) {
        precondition(rows.layers.count == 2 && Set(rows.counts[heads]).count == 1)
        let (count, dim, allocator) = (rows.counts[heads.lowerBound], rows.dim, rows.allocator)
        func vector() -> Buffer<Float> { allocator.scratch(Float.self, count) }
        let norms = [vector(), vector()], squares = [vector(), vector()]
        let (cosines, angles) = (vector(), vector())
        let pieces = (count + Self.piece - 1) / Self.piece
        rows.workers.run(pieces) { piece in
            let range = piece * Self.piece..<min((piece + 1) * Self.piece, count)
            let sums = [squares[1].pointer, squares[0].pointer, cosines.pointer].map {
                $0 + range.lowerBound
            }
            for sum in sums { sum.update(repeating: 0, count: range.count) }
            let floats = allocator.scratch(Float.self, 2 * CommonRows.chunk * dim)
            let upper = floats.pointer, lower = upper + CommonRows.chunk * dim
            // Head by head, so that memory is read in long runs.
            for head in heads {
                for first in stride(from: 0, to: range.count, by: CommonRows.chunk) {
                    let n = min(CommonRows.chunk, range.count - first)
                    let chunk = range.lowerBound + first..<range.lowerBound + first + n
                    rows.rows[1][head].write(chunk, to: upper, kernels: rows.kernels)
                    rows.rows[0][head].write(chunk, to: lower, kernels: rows.kernels)
                    rows.kernels.addDots(
                        upper, lower, count: n, dim: dim, xx: sums[0] + first, yy: sums[1] + first,
                        xy: sums[2] + first)
                }
            }
            for (norms, squares) in zip(norms, squares) {
                for row in range { norms.pointer[row] = squares.pointer[row].squareRoot() }
            }
            // The dots stand where the cosines will.
            rows.kernels.pairAngles(
                xx: sums[0], yy: sums[1], xy: sums[2], count: range.count, cosines: sums[2],
                angles: angles.pointer + range.lowerBound)
            withExtendedLifetime(floats) {}
        }
        (self.rows, self.heads, self.count) = (rows, heads, count)
        (self.norms, self.squares, self.cosines, self.angles) = (norms, squares, cosines, angles)
    }

    /// Rows that a thread takes at a time.
    private static let piece = 1024

    /// Whether both norms of a pair can be stored.
    func isStorable(_ row: Int) -> Bool { norms.allSatisfy { $0[row] <= Self.largestNorm } }

    /// Unit rows of each head, on the way from the lower row's direction (t = 0) to the upper one's (t = 1).
    func directions(at t: Float) -> [DraftRows] {
        let upper = rows.allocator.scratch(Float.self, count)
        let lower = rows.allocator.scratch(Float.self, count)
        rows.kernels.slerpWeights(
            angles: angles.pointer, xx: squares[1].pointer, yy: squares[0].pointer, at: t,
            count: count, x: upper.pointer, y: lower.pointer)
        return heads.map { head in
            DraftRows(
                BlendedRows(
                    x: rows.rows[1][head], xWeights: upper, y: rows.rows[0][head],
                    yWeights: lower, count: count, dim: rows.dim))
        }
    }
}

/// Weighted sums of pairs of rows.
struct BlendedRows: Sendable {
    let x: SomeRows
    let xWeights: Buffer<Float>
    let y: SomeRows
    let yWeights: Buffer<Float>
    let count: Int
    let dim: Int

    /// Writes some of them, packed.
    func write(_ entries: [Int], to floats: UnsafeMutablePointer<Float>, kernels: Kernels) {
        let most = CommonRows.chunk
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * most * dim) { scratch in
            let xs = scratch.baseAddress!, ys = xs + most * dim
            var first = 0
            while first < entries.count {
                let start = entries[first]
                var n = 1
                while n < most, first + n < entries.count, entries[first + n] == start + n {
                    n += 1
                }
                x.write(start..<start + n, to: xs, kernels: kernels)
                y.write(start..<start + n, to: ys, kernels: kernels)
                kernels.blend(
                    xs, xWeights.pointer + start, ys, yWeights.pointer + start, count: n, dim: dim,
                    to: floats + first * dim)
                first += n
            }
        }
    }
}
