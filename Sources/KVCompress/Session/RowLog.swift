/// Rows of one head that grow at their end: what a session has not compressed yet, in f32.
///
/// A value: copies share memory until one of them writes.
struct RowLog: Sendable {
    let dim: Int
    private(set) var count = 0
    private var storage: Storage?
    private var capacity = 0

    init(dim: Int) { self.dim = dim }

    /// Bytes held for them.
    var residentBytes: Int { storage?.byteCount ?? 0 }

    /// All rows, a view.
    var rows: Rows { self[0..<count] }

    /// Some rows, a view.
    subscript(range: Range<Int>) -> Rows {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        guard let storage else { return Rows([], dim: dim) }
        return Rows(
            storage: storage, byteOffset: range.lowerBound * dim * 4, format: .f32,
            count: range.count, dim: dim)
    }

    /// Copies rows to the end, as f32, turned.
    mutating func append(
        _ rows: RowView, turn: Turn? = nil, allocator: Allocator, kernels: Kernels
    ) {
        precondition(rows.dim == dim)
        reserve(count + rows.count, allocator: allocator)
        guard let storage else { return }
        let end = storage.base.assumingMemoryBound(to: Float.self) + count * dim
        kernels.convert(rows, to: end)
        turn?.apply(to: end, count: rows.count, dim: dim, kernels: kernels)
        count += rows.count
    }

    /// Copies rows to the end, as f32.
    mutating func append(_ rows: Rows, allocator: Allocator, kernels: Kernels) {
        withExtendedLifetime(rows) {
            append(rows.view, allocator: allocator, kernels: kernels)
        }
    }

    /// Forgets the first rows; memory goes back.
    mutating func removeFirst(_ number: Int, allocator: Allocator) {
        self = kept(number..<count, capacity: count - number, allocator: allocator)
    }

    /// Forgets the last rows.
    mutating func removeLast(_ number: Int) {
        precondition(number <= count)
        count -= number
    }

    private mutating func reserve(_ needed: Int, allocator: Allocator) {
        // Somebody else's rows may stand behind ours: a fork has memory of its own once it writes.
        if needed <= capacity, storage == nil || isKnownUniquelyReferenced(&storage) { return }
        self = kept(
            0..<count,
            capacity: needed > capacity ? max(needed + blockEntries, 2 * count) : capacity,
            allocator: allocator)
    }

    private func kept(_ range: Range<Int>, capacity: Int, allocator: Allocator) -> RowLog {
        var log = RowLog(dim: dim)
        guard capacity > 0 else { return log }
        let fresh = allocator.allocate(capacity * dim * 4)
        if let storage, !range.isEmpty {
            fresh.base.copyMemory(
                from: storage.base + range.lowerBound * dim * 4, byteCount: range.count * dim * 4)
        }
        (log.storage, log.capacity, log.count) = (fresh, capacity, range.count)
        return log
    }
}
