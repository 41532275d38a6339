/// The online-softmax state of some query rows: what has been seen so far, ready for more.
///
/// A view of memory that the caller keeps alive: per row a running maximum, a sum and an accumulator.
struct FoldState: @unchecked Sendable {
    let maximum: UnsafeMutablePointer<Float>
    let sum: UnsafeMutablePointer<Float>
    let accumulator: UnsafeMutablePointer<Float>
    let rows: Int
    let dim: Int

    /// Floats that a state of this shape occupies.
    static func floats(rows: Int, dim: Int) -> Int { rows * (2 + dim) }

    init(
        maximum: UnsafeMutablePointer<Float>, sum: UnsafeMutablePointer<Float>,
        accumulator: UnsafeMutablePointer<Float>, rows: Int, dim: Int
    ) {
        self.maximum = maximum
        self.sum = sum
        self.accumulator = accumulator
        self.rows = rows
        self.dim = dim
    }

    /// A state that already stands at `base`.
    init(adopting base: UnsafeMutablePointer<Float>, rows: Int, dim: Int) {
        self.init(
            maximum: base, sum: base + rows, accumulator: base + 2 * rows, rows: rows, dim: dim)
    }

    /// Makes it the empty state.
    func clear() {
        maximum.update(repeating: -.infinity, count: rows)
        sum.update(repeating: 0, count: rows)
        accumulator.update(repeating: 0, count: rows * dim)
    }

    /// The same maxima and sums, with empty accumulators elsewhere.
    func summing(_ accumulator: UnsafeMutablePointer<Float>, dim: Int) -> FoldState {
        accumulator.update(repeating: 0, count: rows * dim)
        return FoldState(
            maximum: maximum, sum: sum, accumulator: accumulator, rows: rows, dim: dim)
    }

    /// The states of some of the rows.
    subscript(range: Range<Int>) -> FoldState {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return FoldState(
            maximum: maximum + range.lowerBound, sum: sum + range.lowerBound,
            accumulator: accumulator + range.lowerBound * dim, rows: range.count, dim: dim)
    }
}
