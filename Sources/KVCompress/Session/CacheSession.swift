/// A cache that grows as a model reads and writes, and keeps its plan's promises as it goes.
///
/// For every step and layer: `append` the new rows, then `attend`. Until `compress()` is called rows stand as
/// they came, in f32: that is the prefill, in chunks of any size, whose results do not depend on the chunks.
/// `compress()` applies the plan to all that stands, as `Plan.compress` does to a finished cache. From then on
/// rows that leave the plan's window are compressed every `interval` tokens: by encoding them, or, where
/// the plan evicts, merges or projects, by applying it again to what is left and what came.
///
/// A session is used by one caller at a time; sessions share no state that changes.
public final class CacheSession {
    /// What is done to the cache.
    public let plan: Plan
    /// How.
    public let options: SessionOptions
    /// What the user should know of what the plan did last.
    public internal(set) var remarks: [String] = []
    /// Whether `compress()` was called.
    public internal(set) var isCompressed = false
    var layers: [SessionLayer]
    /// What each head was given of the mean budget when it was last spread unevenly.
    var shares: [[Double]]?
    /// How far positions were moved.
    var offset = 0
    /// What undoes that, by key dim.
    var turns: [Int: Turn] = [:]
    /// The share of the tokens that a method without a budget kept.
    var decided: Double?

    /// Layers whose plan is applied again to what is left and what came, and those that are encoded as they grow.
    let rewritten: [Int], sealed: [Int]
    /// Whether the queries of what is not compressed are kept.
    private let observes: Bool
    private let attention: Attention

    var allocator: Allocator { options.allocator }
    let kernels: Kernels

    /// An empty cache for layers of given shapes.
    ///
    /// - Throws: `CompressionError` (`.session`) for options out of range, (`.cache`) for no layers or impossible
    ///   head dims.
    public convenience init(
        plan: Plan, geometry: [LayerGeometry], options: SessionOptions = SessionOptions()
    ) throws(CompressionError) {
        guard options.interval.map({ $0 > 0 && $0 <= Int32.max }) ?? true else {
            throw CompressionError(
                .session,
                "an interval of \(options.interval ?? 0) tokens; expected 1...\(Int32.max)")
        }
        guard options.slidingWindows.isEmpty || options.slidingWindows.count == geometry.count,
            options.slidingWindows.allSatisfy({ $0.map { $0 > 0 } ?? true })
        else {
            throw CompressionError(
                .session,
                "\(options.slidingWindows.count) sliding windows for \(geometry.count) layers; "
                    + "expected none or one positive number of tokens, or nil, for each")
        }
        guard !geometry.isEmpty else { throw CompressionError(.cache, "a session of no layers") }
        for (index, layer) in geometry.enumerated() {
            guard layer.isValid else {
                throw CompressionError(
                    .cache,
                    "layer \(index): \(layer.kvHeads) kv heads of key dim \(layer.keyDim) and value dim "
                        + "\(layer.valueDim); expected at least one head, and dims in 1...1024")
            }
        }
        self.init(plan: plan, options: options, layers: geometry.map { SessionLayer($0) })
    }

    private init(plan: Plan, options: SessionOptions, layers: [SessionLayer]) {
        self.plan = plan
        self.options = options
        self.layers = layers
        let rewrites = plan.rewrites
        rewritten = layers.indices.filter { rewrites && options.window(of: $0) == nil }
        sealed = layers.indices.filter { !rewrites || options.window(of: $0) != nil }
        observes = plan.observesQueries || options.keepsQueries
        attention = Attention(allocator: options.allocator)
        kernels = Kernels(options.instructionSet)
    }

    private convenience init(copying other: CacheSession, plan: Plan) {
        self.init(plan: plan, options: other.options, layers: other.layers)
        remarks = other.remarks
        isCompressed = other.isCompressed
        shares = other.shares
        decided = other.decided
        offset = other.offset
    }

    /// The shape of each layer.
    public var geometry: [LayerGeometry] { layers.map(\.geometry) }

    /// Tokens that went through the first layer, kept or not.
    public var tokens: Int { layers[0].tokens }

    /// Tokens that went through a layer within range, kept or not: between steps as many for every layer.
    public func tokens(layer: Int) -> Int { layers[layer].tokens }

    /// Bytes of all tokens' keys and values in f16, in the same kv-head layout: what ratios divide.
    public var f16Bytes: Int {
        layers.reduce(0) {
            $0 + 2 * tokens * $1.geometry.kvHeads * ($1.geometry.keyDim + $1.geometry.valueDim)
        }
    }

    /// What every byte is.
    ///
    /// Queries that wait to be observed are resident, not stored: they are gone with the next compression. So is
    /// the memory that attention works in.
    public var ledger: Ledger {
        var ledger = Ledger(layers.map(\.cache))
        let received = layers.reduce(0) { $0 + $1.received.reduce(0) { $0 + $1.count * 4 } }
        if received > 0 { ledger.components[.importance] = received }
        ledger.residentBytes += received + attention.heldBytes
        for log in layers.lazy.flatMap(\.queries) { ledger.residentBytes += log.residentBytes }
        return ledger
    }

    /// A session that goes on from here; both share what stands, and neither sees what the other does.
    ///
    /// Copies nothing until one of them changes.
    public func fork() -> CacheSession { CacheSession(copying: self, plan: plan) }

    /// A session with another plan that goes on from here, before anything was compressed: one prefill serves
    /// many plans.
    ///
    /// Plans that observe queries find those that this session kept: see `SessionOptions.keepsQueries`.
    /// - Throws: `CompressionError` (`.session`) when something is compressed already, (`.values`) for numbers
    ///   that the other plan cannot store.
    public func fork(with plan: Plan) throws(CompressionError) -> CacheSession {
        guard layers.allSatisfy({ $0.settledTokens == 0 }) else {
            throw CompressionError(
                .session,
                "'\(self.plan)' was applied already; another plan needs the rows as they came")
        }
        let other = CacheSession(copying: self, plan: plan)
        for (index, layer) in layers.enumerated() where layer.newest > 0 {
            try other.check(layer.keys.map(\.rows), layer.values.map(\.rows), layer: index)
        }
        return other
    }

    /// Appends the rows of new tokens to a layer.
    ///
    /// Copies them as f32. Every layer is given the same tokens, in the same order; the first layer's turn is
    /// when what has left the window is compressed.
    /// - Parameters:
    ///   - layer: index of the layer, within range.
    ///   - keys: one `Rows` (n x key dim) per kv head, post-RoPE.
    ///   - values: one `Rows` (n x value dim) per kv head.
    /// - Throws: `CompressionError`: rows that do not fit the layer (`.layer`), numbers that are not finite or
    ///   beyond what the plan can store (`.values`), a first layer that is ahead of others (`.session`).
    public func append(layer: Int, keys: [Rows], values: [Rows]) throws(CompressionError) {
        try appendRows(layer, keys, values)
    }

    /// The same, with the rows of all kv heads in one piece of memory each.
    ///
    /// - Throws: `CompressionError`, as with `Rows`.
    public func append(layer: Int, keys: RowBlock, values: RowBlock) throws(CompressionError) {
        try appendRows(layer, keys, values)
    }

    private func appendRows(
        _ layer: Int, _ keys: some HeadRows, _ values: some HeadRows
    ) throws(CompressionError) {
        try check(keys, values, layer: layer)
        if layer == 0 {
            try checkStep(isWholeBefore: "the next step")
            try settle()
        }
        layers[layer].append(
            keys, values, turn: turn(layer), allocator: allocator, kernels: kernels)
    }

    /// Refuses a session some of whose layers wait for a step's tokens.
    ///
    /// - Parameter what: what needs the step to be whole, for people.
    package func checkStep(isWholeBefore what: String) throws(CompressionError) {
        guard let behind = layers.firstIndex(where: { $0.tokens != tokens }) else { return }
        throw CompressionError(
            .session,
            "layer \(behind) has \(layers[behind].tokens) tokens and layer 0 has \(tokens); "
                + "append to every layer before \(what)")
    }

    /// Attention of the newest tokens over everything at or before each.
    ///
    /// - Parameters:
    ///   - layer: index of the layer, within range.
    ///   - queries: one `Rows` (n x key dim) per query head, post-RoPE, of the layer's n newest tokens.
    ///   - options: scale, softcap, threads; positions are the session's own.
    /// - Returns: per query head n x value dim outputs, packed.
    /// - Throws: `CompressionError` (`.layer`) when the queries do not fit the layer, are more than its tokens or, where
    ///   the plan looks at them, of other heads than those before, (`.values`) when these are not finite.
    public func attend(
        layer: Int, queries: [Rows], options: AttentionOptions? = nil
    ) throws(CompressionError) -> [[Float]] {
        try [[Float]](
            heads: queries.count, rows: queries.first?.count ?? 0,
            dim: layers[layer].geometry.valueDim
        ) { outputs throws(CompressionError) in
            try attend(layer, queries, options, into: outputs)
        }
    }

    /// The same, with queries in one piece of memory and outputs in another: nothing is allocated for a step.
    ///
    /// - Parameters:
    ///   - layer: index of the layer, within range.
    ///   - queries: n rows of key dim for every query head.
    ///   - options: scale, softcap, threads; positions are the session's own.
    ///   - outputs: room for n rows of value dim for every query head, laid out as the queries are; traps when it
    ///     is less.
    /// - Throws: `CompressionError`, as with `Rows`; outputs may then have been written.
    public func attend(
        layer: Int, queries: RowBlock, options: AttentionOptions? = nil,
        into outputs: UnsafeMutableBufferPointer<Float>
    ) throws(CompressionError) {
        let dim = layers[layer].geometry.valueDim
        precondition(
            outputs.count >= queries.heads * queries.tokens * dim, "no room for the outputs")
        // Without an address there are no outputs.
        let base = outputs.baseAddress ?? UnsafeMutablePointer(bitPattern: blockEntries)!
        try attend(
            layer, queries, options,
            into: OutputBlock(
                base, heads: queries.heads, tokens: queries.tokens, dim: dim,
                tokensFirst: queries.tokensFirst))
    }

    private func attend(
        _ layer: Int, _ queries: some HeadRows, _ options: AttentionOptions?,
        into outputs: OutputBlock
    ) throws(CompressionError) {
        var options = options ?? usualAttention
        let tokens = layers[layer].tokens
        guard outputs.tokens <= tokens else {
            throw CompressionError(
                .layer,
                "\(outputs.tokens) queries for the newest tokens of layer \(layer), which has \(tokens)"
            )
        }
        options.firstPosition = Int32(tokens - outputs.tokens)
        options.positions = nil
        options.slidingWindow = self.options.window(of: layer)
        if observes { try checkObserved(queries, layer: layer) }
        let turn = turn(layer)
        try attention.attend(
            queries, to: layers[layer].view, options: options, turn: turn, into: outputs)
        if observes {
            layers[layer].observe(
                queries, turn: turn, most: self.options.observe, allocator: allocator,
                kernels: kernels)
        }
    }

    private var usualAttention: AttentionOptions {
        var attention = AttentionOptions()
        attention.workers = options.workers
        attention.instructionSet = options.instructionSet
        return attention
    }

    /// Goes back to when there were so many tokens.
    ///
    /// - Parameters:
    ///   - count: tokens that stay, at least those that are compressed.
    ///   - observed: whether the queries of what goes are still observed by the next compression, as those of a
    ///     question that is known before the context is compressed.
    /// - Throws: `CompressionError` (`.session`) when some that should go are compressed already.
    public func truncate(to count: Int, observed: Bool = false) throws(CompressionError) {
        for (index, layer) in layers.enumerated() {
            guard count >= layer.settledTokens, count <= layer.tokens else {
                throw CompressionError(
                    .session,
                    "layer \(index) cannot go back to \(count) tokens; expected \(layer.settledTokens)...\(layer.tokens), "
                        + "those before are compressed")
            }
        }
        for index in layers.indices {
            layers[index].truncate(to: count, observed: observed)
        }
    }

    /// What is observed is put together with other queries, and decides what is kept.
    private func checkObserved(
        _ queries: some HeadRows, layer: Int
    ) throws(CompressionError) {
        let before = layers[layer].queries.count
        guard before == 0 || before == queries.count else {
            throw CompressionError(
                .layer,
                "\(queries.count) query heads for layer \(layer), which had \(before) before")
        }
        for head in 0..<queries.count {
            let limit = Float.greatestFiniteMagnitude
            guard let found = kernels.firstBeyond(queries.head(head), limit: limit) else {
                continue
            }
            throw .beyond(
                limit, found.value, "layer \(layer), query head \(head), row \(found.row)")
        }
    }

    private func check(
        _ keys: some HeadRows, _ values: some HeadRows, layer: Int
    ) throws(CompressionError) {
        let geometry = layers[layer].geometry, count = keys.count > 0 ? keys.head(0).count : 0
        try check(keys, .keys, count, geometry.keyDim, layer)
        try check(values, .values, count, geometry.valueDim, layer)
    }

    private func check(
        _ rows: some HeadRows, _ side: Side, _ count: Int, _ dim: Int, _ layer: Int
    ) throws(CompressionError) {
        let geometry = layers[layer].geometry
        var name: String { side == .keys ? "key" : "value" }
        guard rows.count == geometry.kvHeads else {
            throw CompressionError(
                .layer,
                "\(rows.count) heads of \(name)s for layer \(layer), which has \(geometry.kvHeads)")
        }
        let limit = (plan.encode ?? .plain).limit(
            side, geometry, projected: plan.projector != nil)
        for head in 0..<rows.count {
            let rows = rows.head(head)
            guard rows.dim == dim, rows.count == count else {
                throw CompressionError(
                    .layer,
                    "layer \(layer), \(name) head \(head): \(rows.count) rows of \(rows.dim); expected \(count) of \(dim)"
                )
            }
            guard let found = kernels.firstBeyond(rows, limit: limit) else { continue }
            let token = layers[layer].tokens + found.row
            throw .beyond(
                limit, found.value, "layer \(layer), \(name) head \(head), token \(token)")
        }
    }
}

extension Plan {
    /// Whether a stage looks at queries.
    var observesQueries: Bool {
        var needs = eviction.map { type(of: $0.scorer).identity.needs } ?? []
        needs += eviction.map { type(of: $0.allocation).identity.needs } ?? []
        for method in stageMethods { needs += type(of: method).identity.needs }
        return needs.contains(.queries) || projector != nil || encode?.zipcache != nil
    }
}
