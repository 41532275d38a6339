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
        return candidates.filter {
            let score = scores[Int($0)]
            return score > cut.threshold || (score == cut.threshold && $0 < cut.tieEnd)
        }
    }

    /// Where the first `count` of the candidates end; radix selection, a byte of the score at a time.
    static func cut(after count: Int, of candidates: [UInt32], by scores: UnsafePointer<Float>)
        -> Cut
    {
        precondition(count <= candidates.count)
        guard count > 0 else { return Cut(threshold: .infinity, tieEnd: 0) }
        var prefix: UInt32 = 0
        // The rank searched for, among the candidates that share the prefix.
        var rank = count
        for shift in [24, 16, 8, 0] as [UInt32] {
            var histogram = [Int](repeating: 0, count: 256)
            for candidate in candidates {
                let key = key(scores[Int(candidate)])
                if key >> (shift + 8) == prefix >> (shift + 8) {
                    histogram[Int(key >> shift & 255)] += 1
                }
            }
            var digit = 255
            while histogram[digit] < rank {
                rank -= histogram[digit]
                digit -= 1
            }
            prefix |= UInt32(digit) << shift
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
