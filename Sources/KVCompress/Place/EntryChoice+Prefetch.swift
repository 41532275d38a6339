extension EntryChoice {
    /// Asks for the pages of all chosen values at once, in ascending order, before they are read one by one.
    func prefetchValues(of layer: LayerCache) {
        for (head, segments) in layer.heads.enumerated() {
            for (number, segment) in segments.enumerated() where segment.values.storage.isMapped {
                let values = segment.values, part = part(head, number)
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
                for range in places.joinedPages(Storage.pageBytes) {
                    values.storage.willNeed(
                        values.byteOffset + range.lowerBound..<values.byteOffset + range.upperBound)
                }
            }
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
