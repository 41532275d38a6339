import Foundation

/// What numbers must not be beyond, checked as they are written.
struct WriteLimit {
    /// The largest magnitude.
    let most: Float
    /// Whose numbers they are.
    let place: String

    /// Refuses packed rows of which a number is beyond.
    fileprivate func check(
        _ rows: UnsafePointer<Float>, count: Int, _ kernels: Kernels
    ) throws(CompressionError) {
        guard let found = kernels.firstBeyond(rows, count: count, limit: most) else { return }
        throw .merged(rows[found], most, place)
    }
}

extension CompressionError {
    /// A number that came of others and cannot be stored.
    static func merged(_ number: Float, _ limit: Float, _ place: String) -> CompressionError {
        CompressionError(
            .values,
            "\(place): merged into \(number), beyond \(limit), the largest that the plan can store")
    }
}

/// Writes the stores of one side of a group of layers into one allocation or one file.
struct StoreWriter {
    fileprivate struct Source {
        let rows: DraftRows
        let entries: [Int]
        let codec: any Codec
        let limit: WriteLimit?
        let offset: Int
    }

    /// The largest per-channel group: chunks of it can be encoded on their own.
    fileprivate static let chunkEntries = 128
    /// Chunks of a store that a thread takes at a time.
    private static let pieceChunks = 16

    private var sources: [Source] = []
    private var byteCount = 0

    /// Plans a store for some of the rows; the answer is its place among those that `write` returns.
    mutating func add(
        _ rows: DraftRows, _ entries: [Int], codec: any Codec, limit: WriteLimit? = nil
    ) -> Int {
        // Every store starts on a cache line.
        let offset = (byteCount + 63) / 64 * 64
        byteCount = offset + codec.allocatedBytes(entries.count)
        sources.append(
            Source(rows: rows, entries: entries, codec: codec, limit: limit, offset: offset))
        return sources.count - 1
    }

    /// Encodes every store, into memory or into a file in a directory.
    ///
    /// Reads the rows once and writes each store once; scratch is 128 rows for each thread, and their bytes for
    /// a file, which the caller's thread writes alone.
    /// - Throws: `CompressionError` of code `.place` when the file cannot be written, of code `.values` for the
    ///   first number beyond its limit.
    func write(
        in directory: URL?, allocator: Allocator, kernels: Kernels, workers: Workers = .caller
    ) throws(CompressionError) -> [Store] {
        guard !sources.isEmpty else { return [] }
        let storage: Storage
        if let directory {
            storage = try writeFile(in: directory, allocator: allocator, kernels: kernels)
        } else {
            storage = try writeMemory(allocator: allocator, kernels: kernels, workers: workers)
        }
        return sources.map { source in
            Store(
                codec: source.codec, storage: storage, byteOffset: source.offset,
                count: source.entries.count)
        }
    }

    /// Pieces of stores are encoded in parallel, each where it belongs.
    private func writeMemory(
        allocator: Allocator, kernels: Kernels, workers: Workers
    ) throws(CompressionError) -> Storage {
        let storage = allocator.allocateUninitialized(byteCount)
        // Codecs write all bytes of their stores, and nobody those in between.
        var end = 0
        for source in sources {
            (storage.base + end).initializeMemory(
                as: UInt8.self, repeating: 0, count: source.offset - end)
            end = source.offset + source.codec.allocatedBytes(source.entries.count)
        }
        let length = Self.pieceChunks * Self.chunkEntries
        let pieces = sources.flatMap { source in
            stride(from: 0, to: source.entries.count, by: length).map {
                (source, $0..<min($0 + length, source.entries.count))
            }
        }
        let results = workers.map(pieces.count) { index in
            let (source, range) = pieces[index]
            let total = source.entries.count, base = storage.base + source.offset
            return Result { () throws(CompressionError) in
                try source.forEachChunk(of: range, allocator: allocator, kernels: kernels) {
                    rows, entries in
                    source.codec.encode(
                        rows, count: entries.count, first: entries.lowerBound, of: total, to: base,
                        kernels: kernels)
                }
            }
        }
        for result in results { try result.get() }
        return storage
    }

    /// Every chunk is encoded alone and its bytes go where they belong in the file.
    private func writeFile(
        in directory: URL, allocator: Allocator, kernels: Kernels
    ) throws(CompressionError) -> Storage {
        let file = try ValueFile(byteCount: byteCount, in: directory)
        for source in sources {
            let codec = source.codec, total = source.entries.count
            let chunk = allocator.allocateUninitialized(
                codec.allocatedBytes(min(Self.chunkEntries, total)))
            try source.forEachChunk(of: 0..<total, allocator: allocator, kernels: kernels) {
                rows, entries throws(CompressionError) in
                let n = entries.count
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
    fileprivate func forEachChunk(
        of range: Range<Int>, allocator: Allocator, kernels: Kernels,
        _ body: (UnsafePointer<Float>, Range<Int>) throws(CompressionError) -> Void
    ) throws(CompressionError) {
        let scratch = allocator.scratch(Float.self, StoreWriter.chunkEntries * rows.dim)
        for first in stride(
            from: range.lowerBound, to: range.upperBound, by: StoreWriter.chunkEntries)
        {
            let chunk = first..<min(first + StoreWriter.chunkEntries, range.upperBound)
            try rows.withRows(entries[chunk], scratch: scratch.pointer, kernels: kernels) {
                floats throws(CompressionError) in
                try limit?.check(floats, count: chunk.count * rows.dim, kernels)
                try body(floats, chunk)
            }
        }
        withExtendedLifetime(scratch) {}
    }
}
