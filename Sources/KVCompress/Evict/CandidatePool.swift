/// The units that the scorer drops, by their place among themselves, with signatures and base scores.
struct CandidatePool {
    let signatures: Signatures
    let base: [Float]
    let kernels: Kernels

    private var count: Int { base.count }

    /// The candidates sorted by (distance to the anchor, index), in runs of equal length; the first ones are
    /// one longer where it does not divide.
    func buckets(_ buckets: Int, anchor: Crush.Anchor) -> [[Int]] {
        let distances = kernels.hamming(
            signatures.storage.pointer,
            count: count,
            bytes: signatures.bytes,
            anchor: bytes(of: anchor)
        )
        let order = kernels.order(byDistance: distances, largest: signatures.bits)
        var start = 0
        return (0..<buckets).map { bucket in
            let size = count / buckets + (bucket < count % buckets ? 1 : 0)
            defer { start += size }
            return order[start..<start + size].map(Int.init)
        }
    }

    /// The member whose bits are nearest, in L1, to the mean bits of all members; then the one of higher
    /// base, then of lower index.
    func medoid(_ members: ArraySlice<Int>) -> Int {
        let counts = signatures.counts(of: members)
        // Times the number of members n the distance is an integer, the sum over bits of |n bit - count|;
        // without the sum of counts, which all members share, n - 2 count is left of each set bit.
        let gains = counts.map { members.count - 2 * $0 }
        func cost(_ member: Int) -> Int {
            var cost = 0
            signatures.forEachBit(of: member) { cost += gains[$0] }
            return cost
        }
        return members.map { (cost($0), -base[$0], $0) }.min(by: <)!.2
    }

    /// Medoids of Lloyd's clusters, begun from the buckets.
    ///
    /// Squared distance, ties to the lower cluster, at most 100 rounds. Clusters that die out are
    /// replaced by the candidates of highest base.
    func clusters(from buckets: [[Int]]) -> [Int] {
        var clusters = buckets
        var home = [Int](repeating: 0, count: count)
        for (cluster, members) in clusters.enumerated() { members.forEach { home[$0] = cluster } }
        for _ in 0..<100 {
            let centers = clusters.enumerated().filter { !$0.element.isEmpty }.map {
                cluster,
                members in
                Center(
                    cluster: cluster,
                    mean: signatures.counts(of: members).map { Double($0) / Double(members.count) }
                )
            }
            let next = (0..<count).map { candidate in
                centers.map { ($0.distance(to: candidate, signatures), $0.cluster) }.min(by: <)!.1
            }
            if next == home { break }
            home = next
            clusters = [[Int]](repeating: [], count: buckets.count)
            for candidate in 0..<count { clusters[home[candidate]].append(candidate) }
        }
        let medoids = clusters.filter { !$0.isEmpty }.map { medoid($0[...]) }
        let taken = Set(medoids)
        let others = (0..<count).filter { !taken.contains($0) }.sorted {
            (-base[$0], $0) < (-base[$1], $1)
        }
        return medoids + others.prefix(buckets.count - medoids.count)
    }

    private func bytes(of anchor: Crush.Anchor) -> [UInt8] {
        let counts = anchor == .mean ? signatures.counts(of: 0..<count) : []
        var bytes = [UInt8](repeating: 0, count: signatures.bytes)
        for bit in 0..<signatures.bits {
            let isSet =
                switch anchor {
                case .mean: 2 * counts[bit] > count
                case .zeros: false
                case .ones: true
                case .alternating: bit % 2 == 1
                case .random(let seed): noise(seed, bit) >> 63 == 1
                }
            if isSet { bytes[bit / 8] |= 1 << UInt8(bit % 8) }
        }
        return bytes
    }
}

/// The mean bits of a cluster.
private struct Center {
    let cluster: Int
    /// 1 - 2 mean of each bit, and the sum of the squared means: what a squared distance is made of.
    private let gains: [Double]
    private let squares: Double

    init(cluster: Int, mean: [Double]) {
        self.cluster = cluster
        gains = mean.map { 1 - 2 * $0 }
        squares = mean.reduce(0) { $0 + $1 * $1 }
    }

    func distance(to candidate: Int, _ signatures: Signatures) -> Double {
        var distance = squares
        signatures.forEachBit(of: candidate) { distance += gains[$0] }
        return distance
    }
}
