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
        var dots = [Float](repeating: 0, count: rows.count - 1)
        kernels.neighbourDots(of: rows, to: &dots)
        return dots.indices.map { cosine(dots[$0], norms[$0], norms[$0 + 1]) }
    }

    /// How alike each layer is to the one below.
    func layersBelow() -> [Survey.Below?] {
        workers.map(cache.layers.count) { index in
            guard index > 0,
                self.cache.layers[index].geometry == self.cache.layers[index - 1].geometry
            else { return nil }
            let (upper, lower) = (self.cache.layers[index], self.cache.layers[index - 1])
            func mean(_ side: (CacheLayer) -> [Rows]) -> Double {
                var sum = 0.0
                self.kernels.pairs(side(lower), side(upper)) { sum += cosine($0, $1, $2) }
                return sum / Double(self.cache.tokens)
            }
            return Survey.Below(keys: mean(\.keys), values: mean(\.values))
        }
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
        let layer = cache.layers[index], queries = layer.queries ?? []
        let count = min(Survey.observe, queries[0].count), dim = layer.geometry.keyDim
        let visible = (cache.tokens - count + 1...cache.tokens).map { UInt32($0) }
        var packed = [Float](repeating: 0, count: count * dim)
        var weights = [Float](repeating: 0, count: count * cache.tokens)
        var mass = [Double](repeating: 0, count: Survey.tops.count)
        for (head, rows) in queries.enumerated() {
            kernels.convert(rows, rows: rows.count - count..<rows.count, to: &packed)
            kernels.dots(
                packed, rows: count, with: layer.keys[head / (queries.count / layer.keys.count)],
                count: cache.tokens, to: &weights, stride: cache.tokens)
            kernels.observe(
                &weights, stride: cache.tokens, keys: cache.tokens, visible: visible,
                scale: Float(1 / Double(dim).squareRoot()), windowStart: 0, threshold: 1
            ) { _ in nil }
            for (query, seen) in visible.enumerated() {
                let start = query * cache.tokens
                let sorted = weights[start..<start + Int(seen)].sorted(by: >).map(Double.init)
                for (place, top) in tops(Int(seen)).enumerated() {
                    mass[place] += sorted.prefix(top).reduce(0, +) / Double(count * queries.count)
                }
            }
        }
        return mass
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
    min(a, b) < 1e-30 ? 0 : Double(dot) / (Double(a) * Double(b))
}
