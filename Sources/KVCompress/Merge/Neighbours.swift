/// Tokens in a row and how alike the keys of neighbours are.
struct Neighbours {
    /// Places i whose token stands right before that of place i + 1 in the cache.
    let pairs: [UInt32]
    /// Of a pair's place the cosine between its key and that of the next one; 0 where a key has no direction.
    let cosines: [Float]
    private let count: Int

    /// Rows that are compared at a time: their floats stay in the nearest cache.
    private static let chunk = 64

    /// Neighbours among ascending tokens; reads each one's key once.
    init(_ tokens: [UInt32], of keys: Rows, kernels: Kernels) {
        count = tokens.count
        pairs = [UInt32](unsafeUninitializedCapacity: count) { pairs, found in
            for place in 0..<max(0, tokens.count - 1) {
                pairs[found] = UInt32(place)
                found += tokens[place] + 1 == tokens[place + 1] ? 1 : 0
            }
        }
        cosines = [Float](unsafeUninitializedCapacity: count) { cosines, initialized in
            cosines.initialize(repeating: 0)
            initialized = tokens.count
            let dim = keys.dim, most = Self.chunk
            withUnsafeTemporaryAllocation(of: Float.self, capacity: most * (dim + 2)) { scratch in
                guard let rows = scratch.baseAddress else { return }
                let norms = rows + most * dim, dots = norms + most
                var first = 0
                while first + 1 < tokens.count {
                    // Rows as they lie, also those of a few tokens that are not asked for.
                    let start = tokens[first]
                    var last = first
                    while last + 1 < tokens.count, tokens[last + 1] - start < most,
                        tokens[last + 1] - tokens[last] < 8
                    { last += 1 }
                    let n = Int(tokens[last] - start) + 1
                    if n > 1 {
                        kernels.convert(keys, rows: Int(start)..<Int(start) + n, to: rows)
                        kernels.norms(rows, count: n, dim: dim, to: norms)
                        kernels.adjacentDots(rows, count: n, dim: dim, into: dots)
                        for place in first..<last {
                            let row = Int(tokens[place] - start)
                            let cosine =
                                Double(dots[row]) / (Double(norms[row]) * Double(norms[row + 1]))
                            cosines[place] = cosine.isFinite ? Float(cosine) : 0
                        }
                    }
                    // The last row is the first of what follows.
                    first = max(last, first + 1)
                }
            }
        }
    }

    /// Runs of two or more linked places, in ascending order.
    ///
    /// Links are ascending places i, each to i + 1. A run is cut, from its last token on, where it would
    /// hold more than votes can count.
    func runs(_ links: [UInt32]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        runs.reserveCapacity(links.count)
        var link = links.count - 1
        while link >= 0 {
            let end = Int(links[link]) + 2
            var start = end - 1
            while link >= 0, Int(links[link]) == start - 1 {
                link -= 1
                guard end - start < EntryVector.mostVotes else { break }
                start -= 1
            }
            runs.append(start..<end)
        }
        return runs.reversed()
    }
}
