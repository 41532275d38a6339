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
struct CommonRows {
    let layers: Range<Int>
    /// `rows[layer in the group][head]`, packed `counts[head] x dim`.
    let rows: [[Buffer<Float>]]
    let counts: [Int]
    let dim: Int
    let kernels: Kernels
    let allocator: Allocator
}

/// What is written once for a group of layers.
struct SharedRows {
    /// Packed rows of `dim` elements: one buffer for each head, or one for all heads.
    var rows: [Buffer<Float>]
    var dim: Int
    /// `[layer in the group][head]`, a norm for each entry; nil when shared rows are used as they are.
    ///
    /// What was encoded is scaled to these norms when it is used. One buffer for all heads of a layer says that the norms are
    /// those of the whole row of all heads.
    var norms: [[Buffer<Float>]]?
    /// `[layer in the group][head]`, maps from shared rows to those of a head.
    var bases: [[Basis]]?
}
