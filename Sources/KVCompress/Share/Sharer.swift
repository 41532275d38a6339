/// Writes once what adjacent layers have in common.
protocol Sharer: StageMethod {
    /// Adjacent layers that share, in order and covering all; a single layer stays alone.
    func groups(layers: Int) -> [Range<Int>]

    /// Whether heads share entries of their own, or all heads of the group the same ones.
    var isPerHead: Bool { get }

    /// Which common entries stay unshared, per head, judged on keys; nil when all do.
    ///
    /// The answers are equal for all heads unless `isPerHead`.
    func retained(_ keys: CommonRows, remarks: inout [String]) -> [[Bool]]?

    /// What is written once for a side; nil when this side stays unshared.
    func shared(_ side: Side, _ rows: CommonRows) -> SharedRows?
}

extension Sharer {
    static var method: MethodDescription { method(.share) { $1.sharer = $0 } }
}

/// The rows, on one side, of entries that stand with the same position, votes and codec in all layers
/// of a group, and in all their heads unless heads share apart.
struct CommonRows: Sendable {
    let layers: Range<Int>
    /// `rows[layer in the group][head]`, `counts[head]` each.
    let rows: [[SomeRows]]
    let counts: [Int]
    let dim: Int
    let kernels: Kernels
    let allocator: Allocator
    let workers: Workers

    /// Rows that are looked at together: those of two layers stay in the nearest caches.
    static let chunk = 32
}

/// Some of a head's rows.
struct SomeRows: Sendable {
    let rows: DraftRows
    /// Their places, ascending.
    let entries: [Int]

    /// Writes some of them as packed f32 rows.
    func write(_ range: Range<Int>, to floats: UnsafeMutablePointer<Float>, kernels: Kernels) {
        rows.write(entries[range], to: floats, kernels: kernels)
    }
}

/// What is written once for a group of layers.
struct SharedRows {
    /// Rows of `dim` elements: for each head, or once for all heads.
    var rows: [DraftRows]
    var dim: Int
    /// `[layer in the group][head]`, a norm for each entry; nil when shared rows are used as they are.
    ///
    /// What was encoded is scaled to these norms when it is used. One buffer for all heads of a layer says that the norms are
    /// those of the whole row of all heads.
    var norms: [[Buffer<Float>]]?
    /// `[layer in the group][head]`, maps from shared rows to those of a head.
    var bases: [[Basis]]?
}
