extension EntryChoice {
    /// Asks for the pages of all chosen values at once, in ascending order, before they are read one by one.
    func prefetchValues(workers: Workers) {
        let segments = Array(layer.heads.joined())
        workers.run(segments.count) { [self] number in
            let values = segments[number].values, part = part(number)
            guard values.storage.isMapped else { return }
            var places: [Range<Int>] = []
            for block in 0..<values.blocks {
                let mask = part.mask(block: block, rows: 0..<rows)
                // Codes lie in tiles of 16 entries.
                for tile in 0..<4 where mask >> UInt64(16 * tile) & 0xFFFF != 0 {
                    let first = block * blockEntries + 16 * tile
                    places += values.codec.places(
                        first..<min(first + 16, values.count), of: values.count)
                }
            }
            values.storage.willNeed(
                places.joinedPages(Storage.pageBytes).map {
                    values.byteOffset + $0.lowerBound..<values.byteOffset + $0.upperBound
                })
        }
    }
}

extension [Range<Int>] {
    /// Ascending ranges that cover these, those joined that are less than a page apart.
    func joinedPages(_ pageBytes: Int) -> [Range<Int>] {
        var joined: [Range<Int>] = []
        for range in sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound < last.upperBound + pageBytes {
                let end = Swift.max(last.upperBound, range.upperBound)
                joined[joined.count - 1] = last.lowerBound..<end
            } else {
                joined.append(range)
            }
        }
        return joined
    }
}
