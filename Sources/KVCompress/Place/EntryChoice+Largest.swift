extension EntryChoice {
    /// Lets a row read the entries with the `count` largest logits, of equal ones those at lower positions.
    ///
    /// The largest logit of each of many runs is found first. At least `count` entries reach the `count`th of
    /// these, so that none below it is wanted: few candidates are left.
    func chooseLargest(_ count: Int, head: Int, row: Int) {
        guard count > 0 else { return }
        let blocks = blocks[head]
        var run = blockEntries
        while run > 8, blocks.count * (blockEntries / run) < 2 * count { run /= 2 }
        let runs = blocks.count * (blockEntries / run)
        func start(_ index: Int) -> Int { blocks.lowerBound * blockEntries + index * run }
        func logits(from place: Int) -> UnsafeMutablePointer<Float> {
            self.logits(place / blockEntries, row: row) + place % blockEntries
        }
        let largest = (0..<runs).map { Self.largest(logits(from: start($0)), count: run) }
        let bound =
            runs <= count
            ? -.infinity
            : Ranking.cut(after: count, of: Array(0..<UInt32(runs)), by: largest).threshold
        var places: [Int] = [], scores: [Float] = []
        for index in 0..<runs where largest[index] >= bound && largest[index] > -.infinity {
            let logits = logits(from: start(index))
            for entry in 0..<run where logits[entry] >= bound && logits[entry] > -.infinity {
                places.append(start(index) + entry)
                scores.append(logits[entry])
            }
        }
        if places.count <= count, bound == -.infinity {
            chooseAll(in: blocks, row: row)
            return
        }
        var candidates = [UInt32](0..<UInt32(places.count))
        if !isAscending(head) {
            let positions = places.map(position)
            let order = candidates.sorted { positions[Int($0)] < positions[Int($1)] }
            (places, scores) = (order.map { places[Int($0)] }, order.map { scores[Int($0)] })
        }
        candidates = Ranking.first(count, of: candidates, by: scores)
        for candidate in candidates {
            let (block, entry) = places[Int(candidate)].quotientAndRemainder(
                dividingBy: blockEntries)
            choose(1 << UInt64(entry), of: block, row: row)
        }
    }

    /// The largest of some numbers, a multiple of 8; -infinity where none is.
    private static func largest(_ numbers: UnsafePointer<Float>, count: Int) -> Float {
        var lanes = SIMD8<Float>(repeating: -.infinity)
        for first in stride(from: 0, to: count, by: 8) {
            let next = UnsafeRawPointer(numbers + first).loadUnaligned(as: SIMD8<Float>.self)
            lanes.replace(with: next, where: next .> lanes)
        }
        return lanes.max()
    }

    /// Whether a head's entries lie in ascending positions, segment behind segment.
    private func isAscending(_ head: Int) -> Bool {
        let segments = layer.heads[head].filter { $0.count > 0 }
        return zip(segments, segments.dropFirst()).allSatisfy {
            $0.positions($0.count - 1) < $1.positions(0)
        }
    }
}
