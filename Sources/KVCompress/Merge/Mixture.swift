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

    /// Entries of neighbours among ascending tokens, each up to one of `ends`.
    init(tokens: [UInt32], ends: [Int], weights: [Float]) {
        (self.tokens, self.ends, self.weights) = (tokens, ends, weights)
    }

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
        tokens[range(entry)]
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

    /// Writes some entries' sums of rows, packed.
    func write(
        _ entries: [Int], of source: Rows, to sums: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        let dim = source.dim
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.chunk * (dim + 1)) { scratch in
            let rows = scratch.baseAddress!, factors = rows + Self.chunk * dim
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: entries.count) { ends in
                var first = 0
                while first < entries.count {
                    // As many entries as fit; one that never will is summed where its rows lie.
                    var last = first, count = 0, isRun = true
                    var members: Range<Int> = range(entries[first])
                    while last < entries.count {
                        let more = range(entries[last])
                        guard count + more.count <= Self.chunk else { break }
                        isRun = isRun && members.lowerBound + count == more.lowerBound
                        members = members.lowerBound..<more.upperBound
                        count += more.count
                        ends[last - first] = UInt32(count)
                        last += 1
                    }
                    let to = sums + first * dim
                    guard last > first else {
                        to.update(repeating: 0, count: dim)
                        kernels.weightedSum(of: source, tokens[members], weights: weights, to: to)
                        first += 1
                        continue
                    }
                    let picked =
                        isRun
                        ? tokens[members]
                        : entries[first..<last].flatMap { tokens[range($0)] }[...]
                    kernels.convert(source, picking: picked, to: rows)
                    weights.withUnsafeBufferPointer { weights in
                        for (place, token) in zip(0..., picked) {
                            factors[place] = weights[Int(token)]
                        }
                    }
                    kernels.mix(
                        rows, factors, ends: ends.baseAddress!, count: last - first, dim: dim,
                        to: to)
                    first = last
                }
            }
        }
    }

    /// Rows that are summed at a time: their floats stay in the nearest cache.
    private static let chunk = 64

    private func range(_ entry: Int) -> Range<Int> {
        (entry == 0 ? 0 : ends[entry - 1])..<ends[entry]
    }
}
