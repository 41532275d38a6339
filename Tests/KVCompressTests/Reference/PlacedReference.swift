import Foundation

@testable import KVCompress

/// Attention that reads a few entries per query, in double precision and straight from the definitions, over
/// the exported entries of a layer.
struct PlacedReference {
    let heads: [CompressedCache.Entries]
    let keyDim: Int
    let valueDim: Int

    init(_ cache: CompressedCache, layer: Int) {
        let geometry = cache.geometry[layer]
        heads = (0..<geometry.kvHeads).map { cache.entries(layer: layer, head: $0) }
        keyDim = geometry.keyDim
        valueDim = geometry.valueDim
    }

    /// Probabilities of the entries of one kv head, 0 for those after `position`.
    func probabilities(_ query: [Float], head: Int, upTo position: Int32?) -> [Double] {
        let entries = heads[head]
        let logits = entries.positions.indices.map { entry -> Double in
            if let position, entries.positions[entry] > position { return -.infinity }
            let dot = query.indices.reduce(0.0) {
                $0 + Double(query[$1]) * Double(entries.keys[entry * keyDim + $1])
            }
            return dot / Double(keyDim).squareRoot() + log(Double(entries.votes[entry]))
        }
        guard let top = logits.max(), top > -.infinity else { return logits.map { _ in 0 } }
        let weights = logits.map { exp($0 - top) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// The sum of weighted values.
    func output(_ weights: [Double], head: Int) -> [Double] {
        (0..<valueDim).map { c in
            weights.indices.reduce(0) {
                $0 + weights[$1] * Double(heads[head].values[$1 * valueDim + c])
            }
        }
    }

    /// The `count` largest, ties to the lower index.
    static func largest(_ count: Int, _ numbers: [Double], of candidates: [Int]) -> Set<Int> {
        Set(
            candidates.sorted {
                numbers[$0] != numbers[$1] ? numbers[$0] > numbers[$1] : $0 < $1
            }.prefix(count))
    }

    /// KCache: weights of the `top` most probable, as they are; also their sum, and by which share of it the
    /// least probability chosen is above the largest that is not.
    func kcache(
        _ query: [Float], head: Int, top: Int, upTo position: Int32?
    ) -> (output: [Double], mass: Double, margin: Double) {
        let p = probabilities(query, head: head, upTo: position)
        let chosen = Self.largest(top, p, of: p.indices.filter { p[$0] > 0 })
        let weights = p.indices.map { chosen.contains($0) ? p[$0] : 0 }
        let least = chosen.map { p[$0] }.min() ?? 1
        let next = p.indices.filter { !chosen.contains($0) }.map { p[$0] }.max() ?? 0
        return (output(weights, head: head), weights.reduce(0, +), (least - next) / least)
    }

    /// TokenSelect: the positions that one token's queries read, one query per query head.
    func selected(
        _ queries: [[Float]], top: (Int) -> Int, sinks: Int, recent: (Int) -> Int,
        upTo position: Int32?
    ) -> Set<Int> {
        let group = queries.count / heads.count
        let last = Int(heads.flatMap(\.positions).max()!)
        var votes = [Double](repeating: 0, count: last + 1)
        for (index, query) in queries.enumerated() {
            let p = probabilities(query, head: index / group, upTo: position)
            for (entry, p) in p.enumerated() {
                votes[Int(heads[index / group].positions[entry])] += p
            }
        }
        let held = Set(heads.flatMap(\.positions)).map(Int.init).sorted()
        let seen = held.filter { position == nil || $0 <= Int(position!) }
        guard let newest = seen.last else { return [] }
        let always = seen.filter { $0 < sinks || $0 > newest - recent(seen.count) }
        let rest = seen.filter { !always.contains($0) }
        return Self.largest(top(seen.count), votes, of: rest).union(always)
    }

    /// Attention over some positions alone.
    func output(
        _ query: [Float], head: Int, over positions: Set<Int>, upTo position: Int32?
    ) -> (output: [Double], mass: Double) {
        let p = probabilities(query, head: head, upTo: position)
        let weights = p.indices.map {
            positions.contains(Int(heads[head].positions[$0])) ? p[$0] : 0
        }
        let sum = weights.reduce(0, +)
        return (output(weights.map { sum > 0 ? $0 / sum : 0 }, head: head), sum)
    }
}
