/// Rows of one head where they lie; whoever made the view keeps them alive.
struct RowView {
    let base: UnsafeRawPointer
    let format: ElementFormat
    let count: Int
    let dim: Int
    /// Elements from one row to the next.
    let stride: Int

    /// The rows of a range.
    subscript(range: Range<Int>) -> RowView {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return RowView(
            base: base + range.lowerBound * stride * format.byteCount, format: format,
            count: range.count, dim: dim, stride: stride)
    }
}

/// What a step brings: rows of as many tokens for every head.
protocol HeadRows {
    /// How many heads.
    var count: Int { get }
    /// The rows of a head.
    func head(_ index: Int) -> RowView
}

extension Array: HeadRows where Element == Rows {
    func head(_ index: Int) -> RowView { self[index].view }
}

/// Packed rows of all heads of a step in one piece of the caller's memory: nothing needs to be allocated for them.
///
/// A view. Calls read it before they return and keep no pointer.
public struct RowBlock: HeadRows {
    /// Where the first row starts.
    public let base: UnsafeRawPointer
    /// How the numbers are stored.
    public let format: ElementFormat
    /// Heads that each token has a row for.
    public let heads: Int
    /// Tokens of the step.
    public let tokens: Int
    /// Elements of a row.
    public let dim: Int
    /// Whether a token's rows of all heads lie together, tokens x heads x dim; otherwise a head's rows of all
    /// tokens, heads x tokens x dim.
    public let tokensFirst: Bool

    /// Views rows in memory.
    ///
    /// Traps when it is not aligned to its elements. That there is so much of it is the caller's to know.
    public init(
        unsafe base: UnsafeRawPointer, format: ElementFormat = .f32, heads: Int, tokens: Int,
        dim: Int, tokensFirst: Bool = false
    ) {
        precondition(heads >= 0 && tokens >= 0 && dim > 0)
        precondition(
            UInt(bitPattern: base) % UInt(format.byteCount) == 0,
            "rows not aligned to their elements")
        self.base = base
        self.format = format
        self.heads = heads
        self.tokens = tokens
        self.dim = dim
        self.tokensFirst = tokensFirst
    }

    var count: Int { heads }

    func head(_ index: Int) -> RowView {
        precondition(index >= 0 && index < heads)
        return RowView(
            base: base + index * (tokensFirst ? 1 : tokens) * dim * format.byteCount,
            format: format, count: tokens, dim: dim, stride: tokensFirst ? heads * dim : dim)
    }
}

/// Where outputs go, laid out as a `RowBlock` of f32.
struct OutputBlock {
    let base: UnsafeMutablePointer<Float>
    let heads: Int
    let tokens: Int
    let dim: Int
    let tokensFirst: Bool

    init(
        _ base: UnsafeMutablePointer<Float>, heads: Int, tokens: Int, dim: Int, tokensFirst: Bool
    ) {
        self.base = base
        self.heads = heads
        self.tokens = tokens
        self.dim = dim
        // Of one token both are the same.
        self.tokensFirst = tokensFirst && tokens > 1
    }

    /// A head's row of a token.
    func row(_ head: Int, _ token: Int) -> UnsafeMutablePointer<Float> {
        base + (tokensFirst ? token * heads + head : head * tokens + token) * dim
    }
}
