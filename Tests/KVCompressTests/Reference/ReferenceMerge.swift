import Foundation

@testable import KVCompress

/// The mergers in double precision and plain loops, on one kv head.
struct ReferenceMerge {
    struct Entry {
        var position: Int
        var key: [Double]
        var value: [Double]
        var votes = 1
    }

    let keys: [[Double]]
    let values: [[Double]]
    let queries: [[[Double]]]
    /// Attention per query that could see the token, mean over the group.
    let received: [Double]
    let kept: [Int]

    init(_ source: SeededCache, layer: Int, head: Int, kept: [UInt32]) {
        let scores = ReferenceScores(source: source, layer: layer)
        let heads = head * source.group..<(head + 1) * source.group
        keys = source.keys[layer][head].map { $0.map(Double.init) }
        let rows = source.cache.layers[layer].values[head]
        values = (0..<rows.count).map { rows.row($0).map(Double.init) }
        queries = heads.map { source.queries[layer][$0].map { $0.map(Double.init) } }
        let tables = heads.map { scores.h2o($0, mean: true) }
        received = keys.indices.map { token in
            tables.reduce(0) { $0 + $1[token] } / Double(tables.count)
        }
        self.kept = kept.map(Int.init)
    }

    private var dropped: [Int] { keys.indices.filter { !kept.contains($0) } }

    // MARK: KVMerger

    enum Links {
        case threshold(Double)
        case entries(Int)
    }

    func kvmerger(
        _ links: Links, recent: Int, heavy: Int, sinks: Int, sigma: Double? = nil,
        paper: Bool = false, uniform: Bool = false
    ) -> [Entry] {
        let tokens = keys.count
        let rest = kept.filter { $0 >= sinks && $0 < tokens - recent }
        let heaviest = rest.sorted { (-received[$0], $0) < (-received[$1], $1) }.prefix(heavy)
        let free = Set(rest).subtracting(heaviest)
        let pairs = (0..<tokens).filter { free.contains($0) && free.contains($0 + 1) }
        let linked: Set<Int>
        switch links {
        case .threshold(let threshold):
            linked = Set(pairs.filter { cosine(keys[$0], keys[$0 + 1]) > threshold })
        case .entries(let entries):
            let best = pairs.sorted {
                (-cosine(keys[$0], keys[$0 + 1]), $0) < (-cosine(keys[$1], keys[$1 + 1]), $1)
            }
            linked = Set(best.prefix(max(0, kept.count - entries)))
        }
        var sets: [[Int]] = []
        for token in kept.reversed() {
            if let last = sets.last?[0], linked.contains(token), last == token + 1 {
                sets[sets.count - 1].insert(token, at: 0)
            } else {
                sets.append([token])
            }
        }
        return sets.reversed().map { set in
            let pivot = set.max { (received[$0], -$0) < (received[$1], -$1) }!
            let squares = set.map { square(keys[pivot], keys[$0]) }
            let mean = squares.reduce(0, +) / Double(set.count - 1)
            let doubled = sigma.map { 2 * $0 * $0 } ?? mean
            let g = squares.map {
                uniform || set.count == 1 || doubled == 0 ? 1 : exp(-$0 / doubled)
            }
            let lift = paper ? Double(set.count) : 1
            return Entry(
                position: pivot, key: mix(set.map { keys[$0] }, g),
                value: mix(set.map { values[$0] }, g).map { $0 * lift },
                votes: paper ? 1 : set.count)
        }
    }

    // MARK: What is dropped goes into what is kept

    /// `drawn` tells which dropped values are added; nil: the expectation.
    func cam(spread: Int, drawn: ((Int, Double) -> Bool)?) -> [Entry] {
        var entries = plain()
        for token in dropped {
            let targets = kept.indices.filter { kept[$0] > token }.prefix(spread)
            guard !targets.isEmpty else { continue }
            let mean = targets.reduce(0) { $0 + received[kept[$1]] } / Double(targets.count)
            let chance = min(max(received[token] / mean, 0), 1)
            let share = drawn.map { $0(token, chance) ? 1 : 0 } ?? chance
            for target in targets {
                for c in values[token].indices {
                    entries[target].value[c] += share * values[token][c] / Double(targets.count)
                }
            }
        }
        return entries
    }

    func weightedKV() -> [Entry] {
        var values = values, weights = received
        for token in dropped where token + 1 < keys.count {
            // Into the next token, kept or not: what goes on from there carries both weights.
            let next = token + 1, sum = weights[token] + weights[next]
            for c in values[token].indices {
                values[next][c] =
                    (weights[token] * values[token][c] + weights[next] * values[next][c]) / sum
            }
            weights[next] = sum
        }
        return kept.map { Entry(position: $0, key: keys[$0], value: values[$0]) }
    }

    func d2o(threshold: Double?) -> [Entry] {
        let nearest = dropped.map(nearest)
        let mean = nearest.reduce(0) { $0 + $1.cosine } / Double(max(nearest.count, 1))
        var sets = kept.map { [$0] }, weights = kept.map { _ in [exp(1.0)] }
        for (token, best) in zip(dropped, nearest) where best.cosine >= (threshold ?? mean) - 1e-9 {
            sets[best.place].append(token)
            weights[best.place].append(exp(best.cosine))
        }
        return kept.indices.map { place in
            Entry(
                position: kept[place], key: mix(sets[place].map { keys[$0] }, weights[place]),
                value: mix(sets[place].map { values[$0] }, weights[place]))
        }
    }

    func keepKV(threshold: Double, observe: Int, paper: Bool) -> [Entry] {
        let last = queries.flatMap { $0.suffix(observe) }
        let query = mix(last, last.map { _ in 1 })
        let logits = keys.map { dot($0, query) / Double(query.count).squareRoot() }
        let sets = mergedByKey(threshold: threshold)
        return kept.indices.map { place in
            let set = sets[place], w = set.map { exp(logits[$0]) }
            var key = mix(set.map { keys[$0] }, w)
            if paper, set.count > 1 {
                let sum = w.reduce(0, +)
                let upper = sum * log(sum / Double(set.count))
                let lower = zip(w, set).reduce(0) { $0 + $1.0 * logits[$1.1] }
                let factor = upper * lower > 0 ? min(max(upper / lower, 0.5), 2) : 1
                key = key.map { $0 * factor }
            }
            return Entry(
                position: kept[place], key: key, value: mix(set.map { values[$0] }, w),
                votes: set.count)
        }
    }

    /// Every kept token with the dropped ones nearest to it, above a cosine.
    func mergedByKey(threshold: Double) -> [[Int]] {
        var sets = kept.map { [$0] }
        for token in dropped {
            let best = nearest(token)
            if best.cosine > threshold { sets[best.place].append(token) }
        }
        return sets
    }

    func plain() -> [Entry] {
        kept.map { Entry(position: $0, key: keys[$0], value: values[$0]) }
    }

    // MARK: Arithmetic

    private func nearest(_ token: Int) -> (place: Int, cosine: Double) {
        var best = (place: 0, cosine: -Double.infinity)
        for (place, other) in kept.enumerated() {
            let cosine = cosine(keys[token], keys[other])
            if cosine > best.cosine { best = (place, cosine) }
        }
        return best
    }

    private func mix(_ rows: [[Double]], _ weights: [Double]) -> [Double] {
        let all = weights.reduce(0, +)
        return rows[0].indices.map { c in
            zip(rows, weights).reduce(0) { $0 + $1.0[c] * $1.1 } / all
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
    }
    private func square(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    private func cosine(_ a: [Double], _ b: [Double]) -> Double {
        dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }
}
