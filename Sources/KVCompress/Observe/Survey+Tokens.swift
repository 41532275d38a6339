import Foundation

extension Observation {
    /// How alike neighbouring tokens are, `[layer][kv head]`.
    func neighbours() -> [[Survey.Neighbours]] {
        let norms = keyNorms()
        return perHead { layer, head in
            let rows = self.cache.layers[layer]
            let cosines = self.cosines(rows.keys[head], norms[layer][head].pointer)
            var valueNorms = [Float](repeating: 0, count: self.cache.tokens)
            self.kernels.norms(of: rows.values[head], to: &valueNorms)
            return Survey.Neighbours(
                cosines, valueCosine: self.cosines(rows.values[head], valueNorms).mean)
        }
    }

    private func cosines(_ rows: Rows, _ norms: UnsafePointer<Float>) -> [Double] {
        var dots = [Float](repeating: 0, count: rows.count)
        let chunk = max(2, 16384 / rows.dim)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk * rows.dim) { scratch in
            // Chunks share a row, so that no pair is missed between them.
            for start in stride(from: 0, to: rows.count - 1, by: chunk - 1) {
                let range = start..<min(start + chunk, rows.count)
                kernels.convert(rows, rows: range, to: scratch.baseAddress!)
                dots.withUnsafeMutableBufferPointer {
                    kernels.adjacentDots(
                        scratch.baseAddress!, count: range.count, dim: rows.dim,
                        into: $0.baseAddress! + start)
                }
            }
        }
        return (0..<rows.count - 1).map { cosine(dots[$0], norms[$0], norms[$0 + 1]) }
    }

    /// How alike each layer is to the one below.
    func layersBelow() -> [Survey.Below?] {
        workers.map(cache.layers.count) { index in
            guard index > 0,
                self.cache.layers[index].geometry == self.cache.layers[index - 1].geometry
            else { return nil }
            let (upper, lower) = (self.cache.layers[index], self.cache.layers[index - 1])
            return Survey.Below(
                keys: self.likeness(upper.keys, lower.keys),
                values: self.likeness(upper.values, lower.values))
        }
    }

    /// The mean over tokens of the cosine of two layers' rows, each that of all heads.
    private func likeness(_ a: [Rows], _ b: [Rows]) -> Double {
        let dim = a[0].dim, tokens = cache.tokens, chunk = max(1, 16384 / dim)
        var x = [Float](repeating: 0, count: chunk * dim), y = x
        var sum = 0.0
        for start in stride(from: 0, to: tokens, by: chunk) {
            let range = start..<min(start + chunk, tokens), count = range.count
            var xx = [Float](repeating: 0, count: count), yy = xx, xy = xx
            for (upper, lower) in zip(a, b) {
                kernels.convert(upper, rows: range, to: &x)
                kernels.convert(lower, rows: range, to: &y)
                kernels.addDots(x, y, count: count, dim: dim, xx: &xx, yy: &yy, xy: &xy)
            }
            sum += (0..<count).reduce(0) {
                $0 + cosine(xy[$1], xx[$1].squareRoot(), yy[$1].squareRoot())
            }
        }
        return sum / Double(tokens)
    }

    /// How the attention of the given queries is spread.
    func attentionSpread() -> [Survey.Attention] {
        let received = attention(.init(reductions: [.sum, .entropy]))
        return workers.map(cache.layers.count) { layer in
            let queries = self.cache.layers[layer].queries ?? [], heads = queries.count
            let tokens = self.cache.tokens, count = queries[0].count
            let visible = (tokens - count + 1...tokens).map(Double.init)
            let even = visible.map { log($0) }.mean
            func row(_ reduction: ReceivedAttention.Reduction, _ head: Int) -> [Double] {
                let start = received.rows(reduction, layer: layer, heads: heads) + head * tokens
                return UnsafeBufferPointer(start: start, count: tokens).map(Double.init)
            }
            var mass = [Double](repeating: 0, count: Survey.tops.count)
            var entropy = 0.0, sinks = 0.0
            for head in 0..<heads {
                let sums = row(.sum, head)
                let all = sums.reduce(0, +) * Double(heads)
                sinks += sums.prefix(Survey.sinks).reduce(0, +) / all
                let sorted = sums.sorted(by: >)
                for (index, count) in tops(tokens).enumerated() {
                    mass[index] += sorted.prefix(count).reduce(0, +) / all
                }
                entropy += row(.entropy, head).reduce(0, +) / Double(count * heads)
            }
            return Survey.Attention(
                mass: mass, queryMass: self.queryMass(layer), entropy: entropy,
                evenness: entropy / even, sinks: sinks,
                evenSinks: visible.map { min(Double(Survey.sinks), $0) / $0 }.mean)
        }
    }

    /// What falls on the tokens that each of the last queries attends to most, mean over queries and heads.
    private func queryMass(_ index: Int) -> [Double] {
        let layer = cache.layers[index]
        guard let queries = layer.queries, let group = layer.group else {
            preconditionFailure("no queries")
        }
        let scale = Float(1 / Double(layer.geometry.keyDim).squareRoot())
        let count = min(Survey.observe, queries[0].count)
        var mass = [Double](repeating: 0, count: Survey.tops.count)
        for head in layer.keys.indices {
            forEachLogitBlock(layer: index, kvHead: head, from: queries[0].count - count) { block in
                for member in 0..<group {
                    let rows = block.rows(member)
                    kernels.observe(
                        rows, stride: block.stride, keys: block.seen, visible: block.visible,
                        scale: scale, windowStart: 0, threshold: 1
                    ) { _ in nil }
                    for (query, seen) in block.visible.enumerated() {
                        let weights = UnsafeBufferPointer(
                            start: rows + query * block.stride, count: Int(seen))
                        let sorted = weights.sorted(by: >).map(Double.init)
                        for (place, top) in tops(sorted.count).enumerated() {
                            mass[place] += sorted.prefix(top).reduce(0, +)
                        }
                    }
                }
            }
        }
        return mass.map { $0 / Double(count * queries.count) }
    }
}

/// How many of some tokens the parts in `Survey.tops` are, one at least.
private func tops(_ tokens: Int) -> [Int] {
    Survey.tops.map { max(1, Int(($0 * Double(tokens)).rounded())) }
}

extension Survey.Neighbours {
    init(_ cosines: [Double], valueCosine: Double) {
        let parts = 4
        cosine = cosines.mean
        quarters = (0..<parts).map { part in
            Array(cosines[part * cosines.count / parts..<(part + 1) * cosines.count / parts]).mean
        }
        linked = Double(cosines.count { $0 > Survey.threshold }) / Double(cosines.count)
        var tokens = [Int](repeating: 0, count: Survey.runLengths.count)
        var length = 1
        for cosine in cosines + [-1] {
            if cosine > Survey.threshold {
                length += 1
            } else {
                tokens[Survey.runLengths.firstIndex { $0.contains(length) }!] += length
                length = 1
            }
        }
        runs = tokens.map { Double($0) / Double(cosines.count + 1) }
        self.valueCosine = valueCosine
    }
}

/// A cosine from a dot and two norms; 0 where a row has no direction.
private func cosine(_ dot: Float, _ a: Float, _ b: Float) -> Double {
    let cosine = Double(dot) / (Double(a) * Double(b))
    return cosine.isFinite ? cosine : 0
}
