/// Tokens in a row and how alike the keys of neighbours are.
struct Neighbours {
    /// Places i whose token stands right before that of place i + 1 in the cache.
    let pairs: [UInt32]
    /// Of every place the cosine between its key and that of the next one; 0 where a key has no direction.
    let cosines: [Float]
    private let count: Int

    /// Neighbours among ascending tokens, whose keys lie packed in `keys`.
    init(_ tokens: [UInt32], keys: Buffer<Float>, dim: Int, kernels: Kernels) {
        count = tokens.count
        pairs = tokens.indices.dropLast().filter { tokens[$0] + 1 == tokens[$0 + 1] }.map(
            UInt32.init)
        var norms = [Float](repeating: 0, count: count)
        var cosines = [Float](repeating: 0, count: count)
        kernels.norms(keys.pointer, count: count, dim: dim, to: &norms)
        kernels.adjacentDots(keys.pointer, count: count, dim: dim, into: &cosines)
        for i in tokens.indices.dropLast() {
            let cosine = Double(cosines[i]) / (Double(norms[i]) * Double(norms[i + 1]))
            cosines[i] = cosine.isFinite ? Float(cosine) : 0
        }
        self.cosines = cosines
    }

    /// Runs of linked places, in ascending order, that cover all places.
    ///
    /// Links are ascending places i, each to i + 1. A run is cut, from its last token on, where it would
    /// hold more than votes can count.
    func runs(_ links: [UInt32]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var rest = links[...]
        var end = count
        while end > 0 {
            var start = end - 1
            while start > 0, rest.last == UInt32(start - 1) {
                rest.removeLast()
                guard end - start < EntryVector.mostVotes else { break }
                start -= 1
            }
            runs.append(start..<end)
            end = start
        }
        return runs.reversed()
    }
}
