/// The rows of two layers side by side, each the concatenation of some heads' rows: their angles, norms
/// and common directions.
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
        let (count, allocator) = (rows.counts[heads.lowerBound], rows.allocator)
        func vector() -> Buffer<Float> { allocator.buffer(Float.self, count) }
        func dots(_ x: Int, _ y: Int) -> Buffer<Float> {
            let dots = vector()
            for head in heads {
                rows.kernels.addDots(
                    rows.rows[x][head].pointer, rows.rows[y][head].pointer, count: count,
                    dim: rows.dim, to: dots.pointer)
            }
            return dots
        }
        self.rows = rows
        self.heads = heads
        self.count = count
        squares = [dots(0, 0), dots(1, 1)]
        norms = squares.map { squares in
            let norms = vector()
            for row in 0..<count { norms.pointer[row] = squares.pointer[row].squareRoot() }
            return norms
        }
        (cosines, angles) = (vector(), vector())
        let products = dots(1, 0)
        rows.kernels.pairAngles(
            xx: squares[1].pointer, yy: squares[0].pointer, xy: products.pointer, count: count,
            cosines: cosines.pointer, angles: angles.pointer)
        withExtendedLifetime(products) {}
    }

    /// Whether both norms of a pair can be stored.
    func isStorable(_ row: Int) -> Bool { norms.allSatisfy { $0[row] <= Self.largestNorm } }

    /// Unit rows, a buffer for each head, on the way from the lower row's direction (t = 0) to the upper
    /// one's (t = 1).
    func directions(at t: Float) -> [Buffer<Float>] {
        let upper = rows.allocator.buffer(Float.self, count)
        let lower = rows.allocator.buffer(Float.self, count)
        rows.kernels.slerpWeights(
            angles: angles.pointer, xx: squares[1].pointer, yy: squares[0].pointer, at: t,
            count: count, x: upper.pointer, y: lower.pointer)
        return heads.map { head in
            let directions = rows.allocator.buffer(Float.self, count * rows.dim)
            rows.kernels.blend(
                rows.rows[1][head].pointer, upper.pointer, rows.rows[0][head].pointer,
                lower.pointer, count: count, dim: rows.dim, to: directions.pointer)
            return directions
        }
    }
}
