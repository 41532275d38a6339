extension Reference {
    /// The bits of every page's signature, token-major, as arrays of booleans.
    static func signatures(
        _ scores: [[Float]],
        page: Int,
        threshold: [Float],
        tieEnd: [Int]
    ) -> [[Bool]] {
        let tokens = scores.first?.count ?? 0
        return stride(from: 0, to: tokens, by: page).map { start in
            (start..<min(start + page, tokens)).flatMap { t in
                scores.indices.map { h in
                    scores[h][t] > threshold[h] || (scores[h][t] == threshold[h] && t < tieEnd[h])
                }
            }
        }
    }

    static func packed(_ bits: [Bool], bytes: Int) -> [UInt8] {
        (0..<bytes).map { byte in
            (0..<8).reduce(0) { sum, bit in
                let index = byte * 8 + bit
                return index < bits.count && bits[index] ? sum | 1 << bit : sum
            }
        }
    }

    static func hamming(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Int {
        zip(a, b).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    }

    /// What makes exactly `count` bits of a head 1, and them its highest scores, lower index first.
    static func threshold(_ scores: [Float], count: Int) -> (value: Float, tieEnd: Int) {
        guard count > 0 else { return (.infinity, 0) }
        let ranked = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        let last = ranked[count - 1]
        return (scores[last], last + 1)
    }
}
