/// What a session needs to go on, beside the entries: kept with a compressed cache that is a snapshot of one.
///
/// `Bytes` are a storage in memory, or where a manifest says that they stand.
struct SavedSession<Bytes> {
    struct Layer {
        /// The newest rows of every head, its last segment, that are not compressed yet.
        var newest: Int
        /// Queries that were observed and are gone.
        var observed: Int
        /// Attention that settled entries received, head by head: f32, packed; nil when nobody asks.
        var received: Bytes?
        /// Queries that wait to be observed: `queryHeads x queryCount x keyDim`, f32, packed.
        var queries: Bytes?
        var queryHeads: Int
        var queryCount: Int
    }

    var layers: [Layer]
    var isCompressed: Bool
    var interval: Int?
    var observe: Int?
    var slidingWindows: [Int?]
    var shares: [[Double]]?
    var decided: Double?
    /// How far positions were moved; nil when they were not.
    var offset: Int?

    /// The same with every run of bytes replaced; `what` it holds and its layer are told.
    func map<Other, Failure: Error>(
        _ replace: (_ bytes: Bytes, _ what: String, _ layer: Int) throws(Failure) -> Other
    ) throws(Failure) -> SavedSession<Other> {
        var others: [SavedSession<Other>.Layer] = []
        for (index, layer) in layers.enumerated() {
            var received: Other?, queries: Other?
            if let bytes = layer.received { received = try replace(bytes, "received", index) }
            if let bytes = layer.queries { queries = try replace(bytes, "queries", index) }
            others.append(
                .init(
                    newest: layer.newest, observed: layer.observed, received: received,
                    queries: queries, queryHeads: layer.queryHeads, queryCount: layer.queryCount))
        }
        return SavedSession<Other>(
            layers: others, isCompressed: isCompressed, interval: interval, observe: observe,
            slidingWindows: slidingWindows, shares: shares, decided: decided, offset: offset)
    }
}

extension SavedSession: Sendable where Bytes: Sendable {}
extension SavedSession.Layer: Sendable where Bytes: Sendable {}
extension SavedSession: Codable where Bytes: Codable {}
extension SavedSession.Layer: Codable where Bytes: Codable {}

extension CacheSession {
    /// What stands now, as a compressed cache: entries in the plan's form, and behind them the rows that are not
    /// compressed yet.
    ///
    /// It is not changed by what the session does later; compressed entries are shared, newer rows copied. Saved
    /// as any compressed cache is, and read again, it can be resumed, and gives the same bits. A session
    /// without tokens has nothing to save: its archive is refused by readers.
    public func snapshot() -> CompressedCache {
        let layers = layers.map { $0.compact(allocator: allocator, kernels: kernels) }
        let caches = layers.map(\.cache)
        let report = Report(
            plan: plan.description, tokens: max(tokens, 1), layers: caches,
            peakBytes: allocator.peakBytes, seconds: 0, remarks: remarks)
        var cache = CompressedCache(
            plan: plan, tokens: tokens, metadata: options.metadata, report: report, layers: caches)
        cache.session = SavedSession(
            layers: layers.map { layer in
                let queries = layer.queries.flatMap { $0.rows.floats() }
                let received = layer.received.flatMap(\.self)
                return .init(
                    newest: layer.newest, observed: layer.observed,
                    received: received.isEmpty ? nil : Storage(copying: received),
                    queries: queries.isEmpty ? nil : Storage(copying: queries),
                    queryHeads: layer.queries.count, queryCount: layer.queries.first?.count ?? 0)
            },
            isCompressed: isCompressed, interval: options.interval, observe: options.observe,
            slidingWindows: options.slidingWindows, shares: shares, decided: decided,
            offset: offset == 0 ? nil : offset)
        return cache
    }

    /// Goes on from a snapshot, or from any compressed cache.
    ///
    /// - Parameters:
    ///   - cache: what stands.
    ///   - options: threads, memory and the like; interval, observed queries and sliding windows are those of
    ///     the snapshot.
    /// - Throws: `CompressionError` (`.archive`) when what the snapshot says of its session cannot be.
    public convenience init(
        resuming cache: CompressedCache, options: SessionOptions = SessionOptions()
    ) throws(CompressionError) {
        var options = options
        options.metadata = cache.metadata
        if let saved = cache.session {
            options.interval = saved.interval
            options.observe = saved.observe
            options.slidingWindows = saved.slidingWindows
        }
        try self.init(plan: cache.plan, geometry: cache.geometry, options: options)
        remarks = cache.report.remarks
        isCompressed = cache.session?.isCompressed ?? true
        shares = cache.session?.shares
        decided = cache.session?.decided
        for index in layers.indices {
            layers[index] = try SessionLayer(
                resuming: cache.layers[index], cache.session?.layers[index], tokens: cache.tokens,
                index, allocator: allocator, kernels: kernels)
        }
        if let moved = cache.session?.offset {
            // The metadata that says how is part of the file, and nobody's word is taken.
            try checkShift(moved)
            offset = moved
        }
        if let shares, shares.map(\.count) != layers.map(\.geometry.kvHeads) {
            throw CompressionError(.archive, "the session's shares are not those of its heads")
        }
    }
}

extension SessionLayer {
    /// The same with newest rows in memory of just their length.
    fileprivate func compact(allocator: Allocator, kernels: Kernels) -> SessionLayer {
        var copy = self
        copy.forgetNewest(0, allocator: allocator)
        return copy
    }

    fileprivate init(
        resuming layer: LayerCache, _ saved: SavedSession<Storage>.Layer?, tokens: Int,
        _ index: Int,
        allocator: Allocator, kernels: Kernels
    ) throws(CompressionError) {
        func fail(_ what: String) -> CompressionError {
            CompressionError(.archive, "layer \(index) of the session: \(what)")
        }
        let newest = saved?.newest ?? 0
        guard newest >= 0, newest <= tokens else {
            throw fail("\(newest) newest of \(tokens) tokens")
        }
        var settled = layer
        var keys: [RowLog] = [], values: [RowLog] = []
        for head in layer.heads.indices {
            var rows = (
                RowLog(dim: layer.geometry.keyDim), RowLog(dim: layer.geometry.valueDim)
            )
            if newest > 0 {
                guard let last = settled.heads[head].popLast(), last.count == newest,
                    last.positions(0) == Int32(tokens - newest), last.keyScale == nil,
                    last.valueScale == nil, last.logitBias == nil
                else { throw fail("head \(head) does not end with \(newest) newest rows") }
                rows.0.append(
                    Rows(last.keys.decoded(), dim: rows.0.dim), allocator: allocator,
                    kernels: kernels)
                rows.1.append(
                    Rows(last.values.decoded(), dim: rows.1.dim), allocator: allocator,
                    kernels: kernels)
            }
            keys.append(rows.0)
            values.append(rows.1)
        }
        var queries: [RowLog] = []
        if let saved, let storage = saved.queries {
            let group = saved.queryHeads / max(layer.geometry.kvHeads, 1)
            let (count, dim) = (saved.queryCount, layer.geometry.keyDim)
            guard (1...16).contains(group), saved.queryHeads % layer.geometry.kvHeads == 0,
                (1...tokens).contains(count),
                storage.byteCount >= saved.queryHeads * count * dim * 4
            else { throw fail("\(saved.queryHeads) heads of \(count) queries") }
            for head in 0..<saved.queryHeads {
                var log = RowLog(dim: dim)
                log.append(
                    Rows(
                        storage: storage, byteOffset: head * count * dim * 4, format: .f32,
                        count: count, dim: dim), allocator: allocator, kernels: kernels)
                queries.append(log)
            }
        }
        var received: [[Float]] = []
        if let storage = saved?.received {
            let counts = settled.heads.indices.map { settled.entries($0) }
            guard storage.byteCount >= counts.reduce(0, +) * 4 else {
                throw fail("less attention received than entries")
            }
            var rest = storage.bytes.assumingMemoryBound(to: Float.self)[...]
            for count in counts {
                guard rest.prefix(count).allSatisfy(\.isFinite) else {
                    throw fail("attention received that is not finite")
                }
                received.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
        }
        guard (0...Int(Int32.max)).contains(saved?.observed ?? 0) else {
            throw fail("queries observed")
        }
        self.init(
            settled: settled, received: received, observed: saved?.observed ?? 0,
            settledTokens: tokens - newest, keys: keys, values: values, queries: queries)
    }
}
