/// A layer as attention reads it: its segments, and behind them what no segment holds yet.
struct LayerView: Sendable {
    /// The newest rows of every head, at consecutive positions.
    struct Newest: Sendable {
        let keys: [RowLog]
        let values: [RowLog]
        let firstPosition: Int

        func segment(_ head: Int) -> Segment {
            Segment(
                keys: Store(viewing: keys[head].rows, side: .keys),
                values: Store(viewing: values[head].rows, side: .values),
                positions: .run(first: Int32(firstPosition)))
        }
    }

    let settled: LayerCache
    var newest: Newest?

    var geometry: LayerGeometry { settled.geometry }

    /// Segments of a head.
    func segments(_ head: Int) -> Int { settled.heads[head].count + (newest == nil ? 0 : 1) }

    /// Blocks of a head's segment.
    func blocks(_ head: Int, _ segment: Int) -> Int {
        if segment < settled.heads[head].count { return settled.heads[head][segment].keys.blocks }
        return (newest!.keys[head].count + blockEntries - 1) / blockEntries
    }

    /// How many entries of a head's segment stand at or before a position.
    func count(_ head: Int, _ segment: Int, upTo position: Int32) -> UInt32 {
        let segments = settled.heads[head]
        if segment < segments.count {
            return UInt32(
                segments[segment].positions.count(upTo: position, of: segments[segment].count))
        }
        let newest = newest!
        return UInt32(
            Positions.run(first: Int32(newest.firstPosition))
                .count(upTo: position, of: newest.keys[head].count))
    }

    /// Makes room for a head's segment.
    func include(_ head: Int, _ segment: Int, in shape: inout FoldScratch.Shape) {
        if segment < settled.heads[head].count {
            shape.include(settled.heads[head][segment])
        } else {
            shape.include(newest!.segment(head))
        }
    }

    /// A head's segment.
    func segment(_ head: Int, _ segment: Int) -> Segment {
        segment < settled.heads[head].count
            ? settled.heads[head][segment] : newest!.segment(head)
    }

    /// All of it in segments.
    var cache: LayerCache {
        guard let newest else { return settled }
        var all = settled
        for head in all.heads.indices { all.heads[head].append(newest.segment(head)) }
        return all
    }
}
