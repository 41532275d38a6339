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

    /// Puts a head's segments behind others.
    func append(_ head: Int, to segments: inout [Segment]) {
        segments += settled.heads[head]
        if let newest { segments.append(newest.segment(head)) }
    }

    /// All of it in segments.
    var cache: LayerCache {
        guard let newest else { return settled }
        var all = settled
        for head in all.heads.indices { all.heads[head].append(newest.segment(head)) }
        return all
    }
}
