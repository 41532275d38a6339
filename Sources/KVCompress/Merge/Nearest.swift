/// For every token that an eviction dropped the kept one whose key points most nearly the same way.
///
/// It compares every dropped key with every kept one: the work grows with the square of the tokens.
struct Nearest {
    /// The dropped tokens, ascending.
    let dropped: [UInt32]
    /// The place among the kept tokens, the first of equals.
    let places: [UInt32]
    /// The cosine; 0 for a key without a direction.
    let cosines: [Float]

    /// Asks the observation for what `init` reads of it.
    static func prepare(_ observation: Observation) { _ = observation.keyNorms() }

    init(_ input: MergeInput) {
        dropped = Array(0..<UInt32(input.tokens)).without(input.kept)
        let norms = input.observation.keyNorms()[input.layer][input.head]
        let kept = Self.gathered(input.kept, input)
        // A kept key without a direction is near to nothing.
        let factors = input.kept.map { norms[Int($0)] >= 1e-30 ? 1 / norms[Int($0)] : 0 }
        var places = [UInt32](repeating: 0, count: dropped.count)
        var cosines = [Float](repeating: -.infinity, count: dropped.count)
        let queries = DraftRows(input.keys, dropped)
        let scratch = input.allocator.buffer(
            Float.self, Self.rowBlock * (input.keys.dim + Self.keyBlock))
        let logits = scratch.pointer + Self.rowBlock * input.keys.dim
        for first in stride(from: 0, to: dropped.count, by: Self.rowBlock) {
            let rows = first..<min(first + Self.rowBlock, dropped.count)
            queries.write(rows, to: scratch.pointer, kernels: input.kernels)
            for start in stride(from: 0, to: kept.count, by: Self.keyBlock) {
                let block = start..<min(start + Self.keyBlock, kept.count)
                input.kernels.dots(
                    scratch.pointer, rows: rows.count, with: kept[block], count: block.count,
                    to: logits, stride: block.count)
                let found = input.kernels.findNearest(
                    logits, rows: rows.count, factors: factors[block])
                for (row, best) in zip(rows, found) where best.product > cosines[row] {
                    places[row] = UInt32(start) + best.place
                    cosines[row] = best.product
                }
            }
        }
        for (row, token) in dropped.enumerated() {
            let norm = norms[Int(token)]
            cosines[row] = norm >= 1e-30 && cosines[row].isFinite ? cosines[row] / norm : 0
        }
        self.places = places
        self.cosines = cosines
    }

    private static let rowBlock = 16
    private static let keyBlock = 4096

    /// The kept keys, packed as they are stored.
    private static func gathered(_ kept: [UInt32], _ input: MergeInput) -> Rows {
        let keys = input.keys
        let storage = input.allocator.allocate(kept.count * keys.dim * keys.format.byteCount)
        input.kernels.gather(keys, kept[...], to: storage.base)
        return Rows(
            storage: storage, byteOffset: 0, format: keys.format, count: kept.count, dim: keys.dim)
    }

    /// The entry of every token of the cache: a kept one's own, that of the nearest kept token for a
    /// dropped one that passes, none for the others.
    func home(_ kept: [UInt32], tokens: Int, where passes: (Int) -> Bool) -> [Int32] {
        var home = [Int32](repeating: -1, count: tokens)
        for (place, token) in kept.enumerated() { home[Int(token)] = Int32(place) }
        for (index, token) in dropped.enumerated() where passes(index) {
            home[Int(token)] = Int32(places[index])
        }
        return home
    }
}
