extension Crush {
    /// The evictable units that a layer keeps, ascending: the important ones, and representatives of the others.
    func chosen(
        _ contest: Contest,
        scores: Scores,
        kvHeads: Int,
        _ layer: LayerSelector
    ) -> (important: [UInt32], representatives: [UInt32]) {
        let room = contest.room(), count = min(share.of(contest.budgets[0]), room)
        let evictable = contest.candidates(0)
        let important = contest.best(room - count, of: evictable)
        guard count > 0 else { return (important, []) }

        let candidates = evictable.without(important)
        let source = bits == .kv ? scores.means(groups: kvHeads, layer.allocator) : scores
        let first = contest.evictable.lowerBound
        let signatures = Signatures(
            source,
            units: contest.evictable,
            page: contest.page,
            kernels: layer.kernels,
            layer.allocator
        ).gathered(candidates.map { Int($0) - first }, layer.allocator)
        let pool = CandidatePool(
            signatures: signatures,
            base: candidates.map { contest.rows.row(0)[Int($0)] },
            kernels: layer.kernels
        )
        let chosen = representatives(count, of: pool, candidates, layer: layer.layer)
        return (important, chosen.map { candidates[$0] }.sorted())
    }

    /// The places, among the candidates, of so many representatives.
    private func representatives(
        _ count: Int,
        of pool: CandidatePool,
        _ candidates: [UInt32],
        layer: Int
    ) -> [Int] {
        switch representatives {
        case .hamming: pool.buckets(count, anchor: anchor).map { pool.medoid($0[...]) }
        case .kmeans: pool.clusters(from: pool.buckets(count, anchor: anchor))
        case .even: (0..<count).map { (2 * $0 + 1) * candidates.count / (2 * count) }
        case .random(let seed):
            candidates.indices.map { (noise(seed, layer, Int(candidates[$0])), $0) }
                .sorted(by: <).prefix(count).map(\.1)
        }
    }
}

/// Bits per unit: of page position p and head h, whether the token is in the better half of the head.
struct Signatures {
    let bits: Int
    let bytes: Int
    let storage: Buffer<UInt8>

    /// Signatures of the units of a range, from the token scores of their heads.
    init(_ scores: Scores, units: Range<Int>, page: Int, kernels: Kernels, _ allocator: Allocator) {
        bits = page * scores.heads
        bytes = (bits + 7) / 8
        storage = allocator.buffer(UInt8.self, units.count * bytes)
        let first = units.lowerBound * page
        let tokens = min(units.upperBound * page, scores.tokens) - first
        let every = Array(0..<UInt32(tokens))
        let cuts = (0..<scores.heads).map {
            Ranking.cut(after: tokens / 2, of: every, by: scores.row($0) + first)
        }
        kernels.packSignatures(
            storage.pointer,
            bytes: bytes,
            scores: scores.row(0) + first,
            stride: scores.tokens,
            tokens: tokens,
            page: page,
            cuts: cuts
        )
    }

    private init(bits: Int, bytes: Int, storage: Buffer<UInt8>) {
        (self.bits, self.bytes, self.storage) = (bits, bytes, storage)
    }

    /// The signatures of some units, packed.
    func gathered(_ units: [Int], _ allocator: Allocator) -> Signatures {
        let packed = allocator.buffer(UInt8.self, units.count * bytes)
        for (index, unit) in units.enumerated() {
            (packed.pointer + index * bytes).update(
                from: storage.pointer + unit * bytes,
                count: bytes
            )
        }
        return Signatures(bits: bits, bytes: bytes, storage: packed)
    }

    /// The set bits of a signature, ascending.
    @inline(__always)
    func forEachBit(of index: Int, _ body: (Int) -> Void) {
        let signature = storage.pointer + index * bytes
        for byte in 0..<bytes {
            var rest = signature[byte]
            while rest != 0 {
                body(byte * 8 + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }

    /// How many of some signatures have each bit.
    func counts(of members: some Sequence<Int>) -> [Int] {
        var counts = [Int](repeating: 0, count: bits)
        for member in members { forEachBit(of: member) { counts[$0] += 1 } }
        return counts
    }
}

extension [UInt32] {
    /// An ascending list without the elements of another one.
    func without(_ others: [UInt32]) -> [UInt32] {
        var rest = others[...]
        return filter { element in
            guard rest.first == element else { return true }
            rest.removeFirst()
            return false
        }
    }
}
