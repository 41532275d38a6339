/// One layer of a session: what was compressed, and the rows that came since, which are in f32.
struct SessionLayer: Sendable {
    /// Entries in the plan's form.
    var settled: LayerCache
    /// Attention that the settled entries received from queries that are gone, per kv head in ascending
    /// positions; empty where the plan does not ask for it.
    var received: [[Float]] = []
    /// Queries that are gone.
    var observed = 0
    /// Tokens before the newest rows.
    private(set) var settledTokens = 0
    private(set) var keys: [RowLog]
    private(set) var values: [RowLog]
    /// Empty until the first call of `attend`, and where nobody asks for queries.
    private(set) var queries: [RowLog] = []

    var geometry: LayerGeometry { settled.geometry }
    /// Tokens that were appended, kept or not.
    var tokens: Int { settledTokens + newest }
    /// Rows that are not compressed yet.
    var newest: Int { keys[0].count }

    mutating func append(
        _ keys: some HeadRows, _ values: some HeadRows, turn: Turn?, allocator: Allocator,
        kernels: Kernels
    ) {
        for head in 0..<keys.count {
            self.keys[head].append(
                keys.head(head), turn: turn, allocator: allocator, kernels: kernels)
            self.values[head].append(values.head(head), allocator: allocator, kernels: kernels)
        }
    }

    /// Keeps queries of the newest tokens, of all that were kept the last `most`.
    mutating func observe(
        _ queries: some HeadRows, turn: Turn?, most: Int?, allocator: Allocator, kernels: Kernels
    ) {
        if self.queries.isEmpty {
            self.queries = (0..<queries.count).map { RowLog(dim: queries.head($0).dim) }
        }
        for head in 0..<queries.count {
            self.queries[head].append(
                queries.head(head), turn: turn, allocator: allocator, kernels: kernels)
            let count = self.queries[head].count
            // Amortised: what is too old goes when it is as much as what stays.
            if let most, count / 2 >= most {
                self.queries[head].removeFirst(count - most, allocator: allocator)
            }
        }
    }

    /// The last queries of every query head, no more than `most`.
    func observedQueries(most: Int) -> [Rows]? {
        guard let count = queries.first?.count, count > 0 else { return nil }
        return queries.map { $0[max(0, count - most)..<count] }
    }

    /// What attention reads: settled entries, then the newest rows.
    var view: LayerView {
        var view = LayerView(settled: settled)
        if newest > 0 {
            view.newest = .init(keys: keys, values: values, firstPosition: settledTokens)
        }
        return view
    }

    /// The same in segments.
    var cache: LayerCache { view.cache }

    /// Newest rows, with no queries.
    func newestRows(_ range: Range<Int>) -> CacheLayer {
        CacheLayer(keys: keys.map { $0[range] }, values: values.map { $0[range] })
    }

    /// The first of the newest rows are settled now.
    mutating func forgetNewest(_ count: Int, allocator: Allocator) {
        for head in keys.indices {
            keys[head].removeFirst(count, allocator: allocator)
            values[head].removeFirst(count, allocator: allocator)
        }
        settledTokens += count
    }

    /// Queries were observed.
    mutating func forgetQueries() {
        observed += queries.first?.count ?? 0
        queries = []
    }

    /// Tokens from here on never were.
    mutating func truncate(to count: Int, observed: Bool) {
        let gone = tokens - count
        for head in keys.indices {
            keys[head].removeLast(gone)
            values[head].removeLast(gone)
        }
        for head in queries.indices where !observed {
            queries[head].removeLast(min(gone, queries[head].count))
        }
    }
}

extension SessionLayer {
    /// An empty layer.
    init(_ geometry: LayerGeometry) {
        self.init(
            settled: LayerCache(
                geometry: geometry, heads: [HeadCache](repeating: [], count: geometry.kvHeads)),
            keys: [RowLog](repeating: RowLog(dim: geometry.keyDim), count: geometry.kvHeads),
            values: [RowLog](repeating: RowLog(dim: geometry.valueDim), count: geometry.kvHeads))
    }
}
