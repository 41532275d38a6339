/// Writes the stores of one side of a group of layers into one allocation.
struct StoreWriter {
    private struct Source {
        let rows: DraftRows
        let entries: [Int]
        let codec: any Codec
        let offset: Int
    }

    private var sources: [Source] = []
    private var byteCount = 0

    /// Plans a store for some of the rows; the answer is its place among those that `write` returns.
    mutating func add(_ rows: DraftRows, _ entries: [Int], codec: any Codec) -> Int {
        // Every store starts on a cache line.
        let offset = (byteCount + 63) / 64 * 64
        byteCount = offset + codec.allocatedBytes(entries.count)
        sources.append(Source(rows: rows, entries: entries, codec: codec, offset: offset))
        return sources.count - 1
    }

    /// Encodes every store.
    ///
    /// Reads the rows once and writes each store once; scratch is 128 rows.
    func write(allocator: Allocator, kernels: Kernels) -> [Store] {
        guard !sources.isEmpty else { return [] }
        let storage = allocator.allocate(byteCount)
        return sources.map { source in
            let store = Store(
                codec: source.codec, storage: storage, byteOffset: source.offset,
                count: source.entries.count)
            // The largest per-channel group: chunks of it can be encoded on their own.
            let chunk = 128
            let floats = allocator.buffer(Float.self, chunk * source.rows.rows.dim)
            for first in stride(from: 0, to: store.count, by: chunk) {
                let entries = source.entries[first..<min(first + chunk, store.count)]
                source.rows.write(entries, to: floats.pointer, kernels: kernels)
                store.codec.encode(
                    floats.pointer, count: entries.count, first: first, of: store.count,
                    to: store.base, kernels: kernels)
            }
            withExtendedLifetime(floats) {}
            return store
        }
    }
}
