import Foundation

/// Writes the stores of one side of a group of layers into one allocation or one file.
struct StoreWriter {
    fileprivate struct Source {
        let rows: DraftRows
        let entries: [Int]
        let codec: any Codec
        let offset: Int
    }

    /// The largest per-channel group: chunks of it can be encoded on their own.
    fileprivate static let chunkEntries = 128

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

    /// Encodes every store, into memory or into a file in a directory.
    ///
    /// Reads the rows once and writes each store once; scratch is 128 rows, and their bytes for a file.
    /// - Throws: `CompressionError` of code `.place` when the file cannot be written.
    func write(
        in directory: URL?, allocator: Allocator, kernels: Kernels
    ) throws(CompressionError) -> [Store] {
        guard !sources.isEmpty else { return [] }
        let storage: Storage
        if let directory {
            storage = try writeFile(in: directory, allocator: allocator, kernels: kernels)
        } else {
            storage = allocator.allocate(byteCount)
            for source in sources {
                source.forEachChunk(allocator: allocator, kernels: kernels) { rows, entries in
                    source.codec.encode(
                        rows, count: entries.count, first: entries.lowerBound,
                        of: source.entries.count, to: storage.base + source.offset,
                        kernels: kernels)
                }
            }
        }
        return sources.map { source in
            Store(
                codec: source.codec, storage: storage, byteOffset: source.offset,
                count: source.entries.count)
        }
    }

    /// Every chunk is encoded alone and its bytes go where they belong in the file.
    private func writeFile(
        in directory: URL, allocator: Allocator, kernels: Kernels
    ) throws(CompressionError) -> Storage {
        let file = try ValueFile(byteCount: byteCount, in: directory)
        for source in sources {
            let codec = source.codec, total = source.entries.count
            let chunk = allocator.allocate(codec.allocatedBytes(min(Self.chunkEntries, total)))
            try source.forEachChunk(allocator: allocator, kernels: kernels) {
                rows, entries throws(CompressionError) in
                let n = entries.count
                chunk.base.initializeMemory(as: UInt8.self, repeating: 0, count: chunk.byteCount)
                codec.encode(
                    rows, count: n, first: 0, of: n, to: chunk.base, kernels: kernels)
                for (from, to) in zip(
                    codec.places(0..<n, of: n), codec.places(entries, of: total))
                {
                    precondition(from.count == to.count)
                    try file.write(
                        UnsafeRawBufferPointer(rebasing: chunk.bytes[from]),
                        at: source.offset + to.lowerBound)
                }
            }
        }
        return try file.mapped()
    }
}

extension StoreWriter.Source {
    /// Calls the body with the rows of some entries at a time, packed.
    fileprivate func forEachChunk<Failure: Error>(
        allocator: Allocator, kernels: Kernels,
        _ body: (UnsafePointer<Float>, Range<Int>) throws(Failure) -> Void
    ) throws(Failure) {
        let floats = allocator.buffer(Float.self, StoreWriter.chunkEntries * rows.rows.dim)
        for first in stride(from: 0, to: entries.count, by: StoreWriter.chunkEntries) {
            let range = first..<min(first + StoreWriter.chunkEntries, entries.count)
            rows.write(entries[range], to: floats.pointer, kernels: kernels)
            try body(floats.pointer, range)
        }
        withExtendedLifetime(floats) {}
    }
}
