/// The order in which tokens are kept: higher scores first, equal ones by lower index.
enum Ranking {
    /// Where the first so many of that order end: those with score > threshold, and those that equal it
    /// with an index below `tieEnd`.
    struct Cut: Equatable {
        var threshold: Float
        var tieEnd: UInt32
    }

    /// The first `count` of the candidates (ascending indices of finite scores), ascending.
    static func first(_ count: Int, of candidates: [UInt32], by scores: UnsafePointer<Float>)
        -> [UInt32]
    {
        if count >= candidates.count { return candidates }
        let cut = cut(after: count, of: candidates, by: scores)
        return [UInt32](unsafeUninitializedCapacity: candidates.count) { first, found in
            for candidate in candidates {
                let score = scores[Int(candidate)]
                let isFirst =
                    score > cut.threshold || (score == cut.threshold && candidate < cut.tieEnd)
                // Written anyway: whether it stays is too hard to foretell for a branch.
                first[found] = candidate
                found += isFirst ? 1 : 0
            }
        }
    }

    /// Where the first `count` of the candidates end; radix selection, 11 bits of the score at a time, of
    /// those that share the bits before.
    static func cut(after count: Int, of candidates: [UInt32], by scores: UnsafePointer<Float>)
        -> Cut
    {
        precondition(count <= candidates.count)
        guard count > 0 else { return Cut(threshold: .infinity, tieEnd: 0) }
        // The rank searched for, among the candidates that share the prefix.
        var rank = count, prefix: UInt32 = 0
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: candidates.count) { keys in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2048) { histogram in
                for (place, candidate) in candidates.enumerated() {
                    keys[place] = key(scores[Int(candidate)])
                }
                var left = candidates.count
                for (shift, bits) in [(21, 11), (10, 11), (0, 10)] as [(UInt32, UInt32)] {
                    let mask: UInt32 = 1 << bits - 1
                    histogram.initialize(repeating: 0)
                    for place in 0..<left { histogram[Int(keys[place] >> shift & mask)] += 1 }
                    var digit = Int(mask)
                    while histogram[digit] < rank {
                        rank -= Int(histogram[digit])
                        digit -= 1
                    }
                    prefix |= UInt32(digit) << shift
                    var kept = 0
                    for place in 0..<left {
                        keys[kept] = keys[place]
                        kept += keys[place] >> shift == prefix >> shift ? 1 : 0
                    }
                    left = kept
                }
            }
        }
        for candidate in candidates where key(scores[Int(candidate)]) == prefix {
            rank -= 1
            if rank == 0 { return Cut(threshold: scores[Int(candidate)], tieEnd: candidate + 1) }
        }
        preconditionFailure("scores must be finite")
    }

    /// Integers in the order of the scores; both zeros are one.
    private static func key(_ score: Float) -> UInt32 {
        let bits = (score + 0).bitPattern
        return bits >> 31 == 1 ? ~bits : bits | 0x8000_0000
    }
}
