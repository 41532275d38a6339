/// What the entries of a head are made of: each is a weighted sum of tokens.
///
/// A token has one weight, whatever entries it goes into. Sums are chains of fma over ascending tokens,
/// so that they are the same everywhere.
struct Mixture: Sendable {
    /// What every token weighs; only those of tokens that stand in an entry are read.
    var weights: [Float]
    private(set) var tokens: [UInt32] = []
    private var ends: [Int] = []

    init(weights: [Float]) { self.weights = weights }

    /// One entry per element of `groups`, every token in the one that `home` names; negative ones in none.
    init(entries: Int, home: [Int32], weights: [Float]) {
        self.init(weights: weights)
        ends = [Int](repeating: 0, count: entries)
        for entry in home where entry >= 0 { ends[Int(entry)] += 1 }
        var next = [Int](repeating: 0, count: entries)
        for entry in ends.indices.dropFirst() {
            next[entry] = ends[entry - 1]
            ends[entry] += ends[entry - 1]
        }
        tokens = [UInt32](repeating: 0, count: ends.last ?? 0)
        for (token, entry) in home.enumerated() where entry >= 0 {
            tokens[next[Int(entry)]] = UInt32(token)
            next[Int(entry)] += 1
        }
    }

    /// The number of entries.
    var count: Int { ends.count }

    /// The tokens of an entry, ascending.
    subscript(entry: Int) -> ArraySlice<UInt32> {
        tokens[(entry == 0 ? 0 : ends[entry - 1])..<ends[entry]]
    }

    /// Adds an entry of ascending tokens.
    mutating func append(_ members: some Sequence<UInt32>) {
        tokens += members
        ends.append(tokens.count)
    }

    /// Makes the weights of every entry's tokens sum to 1.
    mutating func normalize() {
        for entry in 0..<count {
            let sum = self[entry].reduce(0.0) { $0 + Double(weights[Int($1)]) }
            for token in self[entry] {
                weights[Int(token)] = Float(Double(weights[Int(token)]) / sum)
            }
        }
    }

    /// The entries' rows, packed.
    func rows(of source: Rows, _ kernels: Kernels, _ allocator: Allocator) -> DraftRows {
        let packed = allocator.buffer(Float.self, count * source.dim)
        for entry in 0..<count {
            kernels.weightedSum(
                of: source, self[entry], weights: weights, to: packed.pointer + entry * source.dim)
        }
        return DraftRows(packed: packed, count: count, dim: source.dim)
    }
}
