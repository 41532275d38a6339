extension CacheSession {
    /// Segments of this many entries are left alone: a range of attention's work.
    private static let fullSegment = LayerCache.rangeBlocks * blockEntries

    /// Ends the prefill: applies the plan to all that stands, and keeps it from here on.
    ///
    /// May be called again at any time, to compress what stands behind the window now.
    /// - Throws: `CompressionError`, as `Plan.compress` does; the session is then as it was.
    public func compress() throws(CompressionError) {
        try checkStep(isWholeBefore: "compressing")
        isCompressed = true
        try settle(all: true)
    }

    /// Compresses what is due: whole intervals, or everything that the window does not hold.
    func settle(all: Bool = false) throws(CompressionError) {
        guard isCompressed, layers[0].newest > 0 else { return }
        if !rewritten.isEmpty {
            let entries = layers[rewritten[0]].settled.entries(0)
            if all || layers[0].newest >= options.interval ?? max(blockEntries, entries / 8) {
                try rewrite(rewritten)
            }
        }
        guard let first = sealed.first else { return }
        let ready = layers[first].newest - (plan.encode?.window ?? 0)
        let unit = sealUnit
        let count = all ? ready : ready / unit * unit
        if count > 0 { try seal(count, of: sealed) }
        for layer in sealed { dropUnseen(layer) }
    }

    /// Rows that are encoded at a time: whole blocks and groups, and enough to be worth what is shared.
    private var sealUnit: Int {
        let encode = plan.encode ?? .plain
        func group(_ codec: CodecConfiguration) -> Int { codec.axis == .channel ? codec.group : 0 }
        let block = max(blockEntries, group(encode.keys), group(encode.values))
        let wanted = max(options.interval ?? 0, plan.sharer == nil ? 0 : 8 * blockEntries)
        return max(1, (wanted + block - 1) / block) * block
    }

    // MARK: Encoding

    /// Writes the first of the newest rows as they are encoded, behind what is written.
    private func seal(_ count: Int, of sealed: [Int]) throws(CompressionError) {
        var plan = plan
        (plan.eviction, plan.merger, plan.fit) = (nil, nil, nil)
        plan.encode?.window = 0
        if sealed.count < layers.count { (plan.sharer, plan.projector) = (nil, nil) }
        let unit = SessionUnit(layers: sealed)
        let inputs = sealed.map { index in
            var rows = layers[index].newestRows(0..<count)
            let first = UInt32(layers[index].settledTokens)
            let origin = EntryOrigins(positions: Array(first..<first + UInt32(count)))
            rows.origins = LayerOrigins(
                heads: rows.keys.map { _ in origin }, tokens: layers[index].tokens, observed: 0)
            rows.queries = layers[index].observedQueries(most: count)
            return rows
        }
        let written = try staged(inputs, as: unit, by: plan).layers
        for (place, layer) in sealed.enumerated() {
            for head in layers[layer].settled.heads.indices {
                layers[layer].settled.heads[head] += written[place].heads[head]
            }
            layers[layer].settled.placement = written[place].placement
            layers[layer].forgetNewest(count, allocator: allocator)
            layers[layer].forgetQueries()
        }
        for layer in sealed {
            layers[layer].settled.joinTail(Self.fullSegment, allocator: allocator)
        }
    }

    /// Segments that no query will see again go.
    private func dropUnseen(_ layer: Int) {
        guard let window = options.window(of: layer) else { return }
        let first = Int32(layers[layer].tokens - window)
        for head in layers[layer].settled.heads.indices {
            layers[layer].settled.heads[head].removeAll { $0.positions($0.count - 1) < first }
        }
    }

    // MARK: The plan again

    /// Applies the plan to what is left and what came.
    private func rewrite(_ rewritten: [Int]) throws(CompressionError) {
        let isFirst = layers[rewritten[0]].settledTokens == 0
        var fresh = layers
        var said: [String] = []
        func take(_ unit: SessionUnit, _ result: SettledUnit) {
            for (place, layer) in unit.layers.enumerated() {
                fresh[layer].settled.placement = result.layers[place].placement
                for (index, head) in heads(unit, layer).enumerated() {
                    fresh[layer].settled.heads[head] = result.layers[place].heads[index]
                    if !result.received.isEmpty {
                        if fresh[layer].received.isEmpty {
                            fresh[layer].received = fresh[layer].keys.map { _ in [] }
                        }
                        fresh[layer].received[head] = result.received[place][index]
                    }
                }
            }
            said += result.remarks
        }
        if isFirst || isEven(rewritten) {
            let unit = SessionUnit(layers: rewritten)
            let result = try settled(unit, by: isFirst ? plan : try plan(again: nil))
            take(unit, result)
            remember(result.layers)
        } else {
            for unit in units(of: rewritten) {
                take(unit, try settled(unit, by: try plan(again: unit)))
            }
        }
        // Only now: an error leaves the session as it was.
        layers = fresh
        for layer in rewritten {
            layers[layer].forgetNewest(layers[layer].newest, allocator: allocator)
            layers[layer].forgetQueries()
        }
        remarks = said.withoutRepetitions
    }

    /// Layers whose heads hold as much as each other are rewritten together where they share, others head by head.
    private func units(of rewritten: [Int]) -> [SessionUnit] {
        Plan.Scope(plan, layers: layers.count).groups.flatMap { group -> [SessionUnit] in
            let members = group.filter(rewritten.contains)
            if isEven(members) { return [SessionUnit(layers: members)] }
            return members.flatMap { layer -> [SessionUnit] in
                if isEven([layer]) { return [SessionUnit(layers: [layer])] }
                return layers[layer].settled.heads.indices.map {
                    SessionUnit(layers: [layer], heads: $0..<$0 + 1)
                }
            }
        }
    }

    /// Whether all heads of some layers hold as many entries.
    private func isEven(_ some: [Int]) -> Bool {
        let counts = some.lazy.map { self.layers[$0].settled }.flatMap { settled in
            settled.heads.indices.map { settled.entries($0) }
        }
        return Set(counts).count == 1
    }

    /// The plan for entries that went through it before: shares are of the whole past, and what cannot be done
    /// twice is left out.
    ///
    /// - Parameter unit: whose part of the budget counts; nil for all layers, over which it is spread anew.
    private func plan(again unit: SessionUnit?) throws(CompressionError) -> Plan {
        var plan = plan
        if plan.fit != nil || plan.merger.map({ !type(of: $0).mergesAgain }) ?? false {
            plan.merger = nil
        }
        plan.fit = nil
        plan.merger = plan.merger.map { $0.ofPast(tokens) }
        guard let eviction = plan.eviction else { return plan }
        let all: Double
        if let budget = eviction.budget {
            let geometry = geometry
            all = Double(
                try budget.tokensPerHead(of: tokens) { count in
                    self.plan.storedBytes(
                        geometry.map { [Int](repeating: count, count: $0.kvHeads) },
                        geometry: geometry, tokens: tokens)
                }.0)
        } else {
            all = (decided ?? 1) * Double(tokens)
        }
        var share = 1.0
        if let unit {
            plan.eviction?.allocation = UniformAllocation()
            if let shares { share = shares[unit.layers[0]][unit.heads?.lowerBound ?? 0] }
        }
        plan.eviction?.budget = .tokens(max(1, Int((all * share).rounded())))
        return plan
    }

    /// How the budget was spread, for as long as it cannot be spread again.
    private func remember(_ settled: [LayerCache]) {
        guard let eviction = plan.eviction, settled.count == layers.count else { return }
        let counts = settled.map { layer in layer.heads.indices.map { layer.entries($0) } }
        let all = counts.joined()
        let mean = Double(all.reduce(0, +)) / Double(all.count)
        if eviction.budget == nil { decided = decided ?? mean / Double(tokens) }
        if eviction.budget == nil || !eviction.allocation.equals(UniformAllocation()) {
            shares = counts.map { $0.map { Double($0) / mean } }
        }
    }
}

extension Plan {
    /// Whether new rows change what becomes of old ones.
    var rewrites: Bool {
        eviction != nil || merger != nil || projector != nil || fit != nil
            || encode?.zipcache != nil || sharer is XKV || placement?.mapsValues ?? false
            // A basis of the codec's own is not stored for every few rows.
            || encode.map { $0.keys.wantsBasis || $0.values.wantsBasis } ?? false
    }
}
