/// Writes the kept rows of one layer into one allocation: stores of all heads, then position lists.
struct LayerEncoder {
    private struct Placed {
        let part: HeadLayout.Part
        let keyOffset: Int
        let valueOffset: Int
        let positions: PositionPlace
    }

    private enum PositionPlace {
        case run(Int32)
        case list(byteOffset: Int)
    }

    let layer: CacheLayer
    let kept: [[UInt32]]
    private var heads: [[Placed]] = []
    private var byteCount = 0
    private var lists: [(place: Int, positions: ArraySlice<UInt32>)] = []

    init(layer: CacheLayer, kept: [[UInt32]], encode: EncodeConfiguration, protected: Bool) {
        self.layer = layer
        self.kept = kept
        var known: [ArraySlice<UInt32>: Int] = [:]
        for entries in kept {
            let layout = HeadLayout(
                entries: entries.count, geometry: layer.geometry, encode: encode,
                protected: protected)
            var placed: [Placed] = []
            for part in layout.parts {
                let keyOffset = reserve(part.keys.allocatedBytes(part.entries.count))
                let valueOffset = reserve(part.values.allocatedBytes(part.entries.count))
                let positions = entries[part.entries]
                let place: PositionPlace
                if Int(positions.last!) - Int(positions.first!) == positions.count - 1 {
                    place = .run(Int32(positions.first!))
                } else if let offset = known[positions] {
                    place = .list(byteOffset: offset)
                } else {
                    let offset = reserve(positions.count * 4)
                    known[positions] = offset
                    lists.append((offset, positions))
                    place = .list(byteOffset: offset)
                }
                placed.append(
                    Placed(
                        part: part, keyOffset: keyOffset, valueOffset: valueOffset, positions: place
                    ))
            }
            heads.append(placed)
        }
    }

    /// The next place that starts on a cache line.
    private mutating func reserve(_ bytes: Int) -> Int {
        let offset = (byteCount + 63) / 64 * 64
        byteCount = offset + bytes
        return offset
    }

    /// Encodes every head. Reads the kept rows once and writes each store once; scratch is 128 rows a head.
    func encode(allocator: Allocator, kernels: Kernels) -> LayerCache {
        let storage = allocator.allocate(byteCount)
        for list in lists {
            for (index, position) in list.positions.enumerated() {
                storage.base.storeBytes(
                    of: Int32(position), toByteOffset: list.place + index * 4, as: Int32.self)
            }
        }
        var shared: [Int: PositionList] = [:]
        for list in lists {
            shared[list.place] = PositionList(
                storage: storage, byteOffset: list.place, count: list.positions.count)
        }
        let caches = heads.indices.map { head in
            heads[head].map { placed in
                let count = placed.part.entries.count
                let keys = Store(
                    codec: placed.part.keys, storage: storage, byteOffset: placed.keyOffset,
                    count: count)
                let values = Store(
                    codec: placed.part.values, storage: storage, byteOffset: placed.valueOffset,
                    count: count)
                let entries = kept[head][placed.part.entries]
                write(layer.keys[head], entries, to: keys, allocator: allocator, kernels: kernels)
                write(
                    layer.values[head], entries, to: values, allocator: allocator, kernels: kernels)
                let positions: Positions =
                    switch placed.positions {
                    case .run(let first): .run(first: first)
                    case .list(let offset): .list(shared[offset]!, offset: 0)
                    }
                return Segment(keys: keys, values: values, positions: positions)
            }
        }
        return LayerCache(geometry: layer.geometry, heads: caches)
    }

    private func write(
        _ rows: Rows, _ entries: ArraySlice<UInt32>, to store: Store, allocator: Allocator,
        kernels: Kernels
    ) {
        // The largest per-channel group: chunks of it can be encoded on their own.
        let chunk = 128
        let gathered = allocator.allocate(chunk * rows.dim * rows.format.byteCount)
        let floats = allocator.buffer(Float.self, chunk * rows.dim)
        var done = 0
        while done < entries.count {
            let count = min(chunk, entries.count - done)
            let start = entries.startIndex + done
            kernels.gather(rows, Array(entries[start..<start + count]), to: gathered.base)
            let packed = Rows(
                storage: gathered, byteOffset: 0, format: rows.format, count: count, dim: rows.dim)
            kernels.convert(packed, rows: 0..<count, to: floats.pointer)
            store.codec.encode(
                floats.pointer, count: count, first: done, of: store.count, to: store.base,
                kernels: kernels)
            done += count
        }
        withExtendedLifetime((gathered, floats)) {}
    }
}
