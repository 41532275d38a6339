@testable import KVCompress

/// What a comparison measures, computed naively: compress the prefix, attend over its entries and the exact
/// suffix, causally, in double precision, against the full cache.
struct ComparisonReference {
    var errors: [Double] = []
    var cosines: [Double] = []
    var masses: [Double] = []

    init(_ cache: Cache, holdout: Int, plan: Plan) throws {
        let prefix = cache.tokens - holdout
        let compressed = try plan.compress(cache.prefix(prefix))
        for (index, layer) in cache.layers.enumerated() {
            let reference = AttentionReference(keyDim: layer.geometry.keyDim)
            let group = layer.queries!.count / layer.keys.count
            for (head, queries) in layer.queries!.enumerated() {
                let full = Self.entries(layer, head / group, 0..<cache.tokens)
                let suffix = Self.entries(layer, head / group, prefix..<cache.tokens)
                var kept = compressed.entries(layer: index, head: head / group)
                let represented = Set(kept.positions + suffix.positions)
                kept.keys += suffix.keys
                kept.values += suffix.values
                kept.positions += suffix.positions
                kept.votes += suffix.votes

                var difference = 0.0, size = 0.0, mass = 0.0
                for row in 0..<holdout {
                    let query = queries.row(queries.count - holdout + row)
                    let position = Int32(prefix + row)
                    let exact = reference.output(query, over: full, upTo: position)
                    let found = reference.output(query, over: kept, upTo: position)
                    for (x, y) in zip(found, exact) {
                        difference += (x - y) * (x - y)
                        size += y * y
                    }
                    let dot = zip(found, exact).reduce(0.0) { $0 + $1.0 * $1.1 }
                    func norm(_ x: [Double]) -> Double {
                        x.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
                    }
                    cosines.append(dot / (norm(found) * norm(exact)))
                    mass += reference.mass(query, over: full, upTo: position, of: represented)
                }
                errors.append((difference / size).squareRoot())
                masses.append(mass / Double(holdout))
            }
        }
    }

    private static func entries(_ layer: CacheLayer, _ head: Int, _ range: Range<Int>)
        -> CompressedCache.Entries
    {
        CompressedCache.Entries(
            keys: layer.keys[head][range].floats(),
            values: layer.values[head][range].floats(),
            positions: range.map(Int32.init),
            votes: range.map { _ in 1 }
        )
    }
}

extension AttentionReference {
    /// The probability that a query gives to entries at some positions.
    func mass(
        _ query: [Float],
        over entries: CompressedCache.Entries,
        upTo position: Int32,
        of kept: Set<Int32>
    ) -> Double {
        // With values of 1 for what is kept and 0 elsewhere, the output is the mass.
        var marked = entries
        marked.values = entries.positions.map { kept.contains($0) ? 1 : 0 }
        return output(query, over: marked, upTo: position)[0]
    }
}
