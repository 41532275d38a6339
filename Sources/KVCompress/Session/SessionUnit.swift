/// Heads of some layers that a plan is applied to together, again or for the first time.
///
/// All have the same number of rows, which need not be the same tokens.
struct SessionUnit {
    /// Layers of the session, ascending.
    var layers: [Int]
    /// Heads of each of them; nil: all.
    var heads: Range<Int>?
}

/// What applying a plan to a unit gave.
struct SettledUnit {
    /// `[layer in the unit]`, with the heads of the unit.
    var layers: [LayerCache]
    /// Attention received by each entry, `[layer in the unit][head]`; empty where the plan does not ask.
    var received: [[[Float]]]
    var remarks: [String]
}

extension CacheSession {
    func heads(_ unit: SessionUnit, _ layer: Int) -> Range<Int> {
        unit.heads ?? 0..<layers[layer].geometry.kvHeads
    }

    /// A plan over what the unit holds: settled entries and all newest rows, with the queries since.
    func settled(_ unit: SessionUnit, by plan: Plan) throws(CompressionError) -> SettledUnit {
        let (settled, remarks, observation) = try staged(
            unit.layers.map { rows(of: $0, heads(unit, $0)) }, as: unit, by: plan)
        var result = SettledUnit(layers: settled, received: [], remarks: remarks)
        if plan.accumulates {
            result.received = settled.enumerated().map { layer, settled in
                settled.heads.indices.map { head in
                    observation.received(layer: layer, head: head, by: settled)
                }
            }
        }
        return result
    }

    /// All stages of a plan over rows that stand for a unit, and what was seen of them.
    func staged(
        _ rows: [CacheLayer], as unit: SessionUnit, by plan: Plan
    ) throws(CompressionError) -> (
        layers: [LayerCache], remarks: [String], observation: Observation
    ) {
        let observation = Observation(
            cache: try Cache(layers: rows, metadata: options.metadata), kernels: kernels,
            workers: options.workers, allocator: allocator)
        let (layers, remarks) = try plan.stages(
            observation, over: scope(unit), directory: options.directory)
        return (layers, remarks, observation)
    }

    /// What the plan says of the unit's layers.
    private func scope(_ unit: SessionUnit) -> Plan.Scope {
        let all = Plan.Scope(plan, layers: layers.count)
        var scope = all
        scope.protected = unit.layers.map { all.protected[$0] }
        scope.placements = unit.layers.map { all.placements[$0] }
        scope.groups = []
        for group in all.groups {
            let members = unit.layers.indices.filter { group.contains(unit.layers[$0]) }
            // A group of which some layers are elsewhere does not share, nor do single heads.
            if members.count == group.count, unit.heads == nil {
                scope.groups.append(members[0]..<members[0] + members.count)
            } else {
                scope.groups += members.map { $0..<$0 + 1 }
            }
        }
        return scope
    }

    /// Entries and newest rows of some heads as a layer of a cache.
    private func rows(of index: Int, _ heads: Range<Int>) -> CacheLayer {
        let layer = layers[index]
        // Queries of what was taken back may be more than rows, and no more than these may follow each other.
        let rows = layer.settled.entries(heads.lowerBound) + layer.newest
        let most = min(options.observe ?? .max, rows)
        let queries = layer.observedQueries(most: most).map { all in
            let group = all.count / layer.geometry.kvHeads
            return Array(all[heads.lowerBound * group..<heads.upperBound * group])
        }
        guard layer.settledTokens > 0 else {
            return CacheLayer(
                keys: layer.keys[heads].map(\.rows), values: layer.values[heads].map(\.rows),
                queries: queries)
        }
        var result = CacheLayer(keys: [], values: [], queries: queries)
        var origins: [EntryOrigins] = []
        let newest = UInt32(layer.settledTokens)..<UInt32(layer.tokens)
        for head in heads {
            let entries = layer.settled.decoded(head)
            result.keys.append(entries.keys.rows(and: layer.keys[head], allocator))
            result.values.append(entries.values.rows(and: layer.values[head], allocator))
            let received = layer.received.isEmpty ? [] : layer.received[head]
            origins.append(
                EntryOrigins(
                    positions: entries.positions.map { UInt32($0) } + newest,
                    mass: layer.settled.mass(head).followed(by: newest.count),
                    received: received.isEmpty
                        ? [] : received + [Float](repeating: 0, count: newest.count)))
        }
        result.origins = LayerOrigins(
            heads: origins, tokens: layer.tokens, observed: layer.observed)
        return result
    }
}

extension Observation {
    /// Attention that the entries of a head received so far, by the positions that are left of its rows.
    fileprivate func received(layer index: Int, head: Int, by settled: LayerCache) -> [Float] {
        let layer = cache.layers[index]
        guard let queries = layer.queries, let group = layer.group else { return [] }
        let sums = attention(.init(reductions: [.sum]))
            .rows(.sum, layer: index, heads: queries.count)
        let positions = Set(settled.positions(head))
        return (0..<cache.tokens).compactMap { row in
            guard positions.contains(layer.position(UInt32(row), kvHead: head)) else { return nil }
            let sum = (0..<group).reduce(0.0) {
                $0 + Double(sums[(head * group + $1) * cache.tokens + row])
            }
            return Float(sum / Double(group))
        }
    }
}

extension LayerCache {
    /// Positions of a head's entries, segment by segment.
    fileprivate func positions(_ head: Int) -> [UInt32] {
        heads[head].flatMap { segment in
            (0..<segment.count).map { UInt32(segment.positions($0)) }
        }
    }
}

extension Mass {
    /// So many tokens that stand for themselves come behind.
    fileprivate func followed(by count: Int) -> Mass {
        switch self {
        case .ones: .ones
        case .votes(let votes): .votes(votes + [UInt32](repeating: 1, count: count))
        case .bias(let bias): .bias(bias + [Float](repeating: 0, count: count))
        }
    }
}

extension [Float] {
    /// Packed rows with those of a log behind them.
    fileprivate func rows(and log: RowLog, _ allocator: Allocator) -> Rows {
        let byteCount = (count + log.count * log.dim) * 4
        let storage = Storage(byteCount: byteCount, allocator: allocator) { bytes in
            withUnsafeBytes { bytes.copyMemory(from: $0) }
            let rest = bytes.baseAddress! + self.count * 4
            Kernels.best.convert(
                log.rows, rows: 0..<log.count, to: rest.assumingMemoryBound(to: Float.self))
        }
        return Rows(
            storage: storage, byteOffset: 0, format: .f32, count: byteCount / 4 / log.dim,
            dim: log.dim)
    }
}

extension Plan {
    /// Whether attention that was received counts for ever.
    var accumulates: Bool {
        eviction.map { type(of: $0.scorer).accumulates } ?? false
            || merger.map { type(of: $0).mergesAgain } ?? false
    }
}
