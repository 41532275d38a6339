import Foundation

extension LayerCache {
    /// Where an entry stands among the segments of its head.
    private struct Source {
        let segment: Int
        let index: Int
        let position: Int32
    }

    /// A head's entries in ascending positions.
    private func order(_ head: Int) -> [Source] {
        let segments = heads[head]
        return segments.indices.flatMap { number in
            (0..<segments[number].count).map {
                Source(segment: number, index: $0, position: segments[number].positions($0))
            }
        }.sorted { $0.position < $1.position }
    }

    /// The entries of one kv head as attention sees them, decoded, in ascending positions.
    func decoded(_ head: Int) -> CompressedCache.Entries {
        let segments = heads[head]
        let rows = segments.map { segment in
            (
                keys: segment.keys.decoded(scales: segment.keyScale),
                values: segment.values.decoded(scales: segment.valueScale)
            )
        }
        var entries = CompressedCache.Entries()
        for source in order(head) {
            let rows = rows[source.segment]
            entries.keys +=
                rows.keys[
                    source.index * geometry.keyDim..<(source.index + 1) * geometry.keyDim]
            entries.values +=
                rows.values[
                    source.index * geometry.valueDim..<(source.index + 1) * geometry.valueDim]
            entries.positions.append(source.position)
            entries.votes.append(segments[source.segment].votes(source.index))
        }
        return entries
    }

    /// What the entries of one kv head count for, in ascending positions.
    func mass(_ head: Int) -> Mass {
        let segments = heads[head], vectors = segments.compactMap(\.logitBias)
        if vectors.isEmpty { return .ones }
        if vectors.allSatisfy({ $0.format == .votes }) {
            return .votes(order(head).map { UInt32(segments[$0.segment].votes($0.index)) })
        }
        return .bias(
            order(head).map { source in
                guard let bias = segments[source.segment].logitBias else { return 0 }
                let stored = bias.stored(source.index)
                return bias.format == .votes ? Float(log(Double(stored))) : stored
            })
    }
}
