import Foundation

/// What can be said of a full cache beyond its rows: attention received, norms and directions of keys.
///
/// Everything is computed when it is first asked for, for all layers at once, by the workers, and kept
/// for later stages of the same plan. What a plan does not need is never computed. Results do not depend
/// on the number of threads.
public final class Observation: @unchecked Sendable {
    /// The cache observed.
    public let cache: Cache
    let kernels: Kernels
    let workers: Workers
    let allocator: Allocator

    // The lock guards the caches below; all else is constant.
    private let lock = NSLock()
    private var received: [ReceivedAttention.Request: ReceivedAttention] = [:]
    private var keys: [[Buffer<Float>]]?
    private var values: [[Buffer<Float>]]?

    init(cache: Cache, kernels: Kernels, workers: Workers, allocator: Allocator) {
        self.cache = cache
        self.kernels = kernels
        self.workers = workers
        self.allocator = allocator
    }

    /// Tokens of the whole past of a layer, kept or not.
    func pastTokens(layer: Int) -> UInt32 {
        UInt32(cache.layers[layer].origins?.tokens ?? cache.tokens)
    }

    /// Queries that every layer carries; 0 when one carries none.
    var queries: Int {
        cache.layers.map { $0.queries?[0].count ?? 0 }.min() ?? 0
    }

    /// Refuses a cache without queries, in the name of the method that needs them.
    func requireQueries(for method: String) throws(CompressionError) {
        guard let layer = cache.layers.firstIndex(where: { $0.queries == nil }) else { return }
        let stage = Plan.methods.first { $0.name == method }?.stage
        let others = Plan.methods.filter { $0.stage == stage && $0.needs.isEmpty }.map(\.name)
        throw CompressionError(
            .queries,
            "'\(method)' needs the queries of the cache, and layer \(layer) carries none"
                + (others.isEmpty
                    ? "" : "; methods that need none: \(others.joined(separator: ", "))")
        )
    }

    /// Attention that the given queries pay to every key, reduced as requested.
    ///
    /// The cache must carry queries in every layer.
    func attention(_ request: ReceivedAttention.Request) -> ReceivedAttention {
        lock.withLock {
            if let known = received[request] { return known }
            let fresh = ReceivedAttention(request, of: self)
            received[request] = fresh
            return fresh
        }
    }

    /// L2 norms of the keys, `[layer][kv head]`.
    func keyNorms() -> [[Buffer<Float>]] {
        lock.withLock {
            let norms = keys ?? norms { $0.keys }
            keys = norms
            return norms
        }
    }

    /// L2 norms of the values, `[layer][kv head]`.
    func valueNorms() -> [[Buffer<Float>]] {
        lock.withLock {
            let norms = values ?? norms { $0.values }
            values = norms
            return norms
        }
    }

    private func norms(of side: @escaping @Sendable (CacheLayer) -> [Rows]) -> [[Buffer<Float>]] {
        perHead { layer, head in
            let rows = side(self.cache.layers[layer])[head]
            let norms = self.allocator.buffer(Float.self, rows.count)
            self.kernels.norms(of: rows, to: norms.pointer)
            return norms
        }
    }

    /// A value for every layer and kv head, computed by the workers.
    func perHead<Value: Sendable>(_ body: @escaping @Sendable (_ layer: Int, _ head: Int) -> Value)
        -> [[Value]]
    {
        let places = cache.layers.indices.flatMap { layer in
            cache.layers[layer].keys.indices.map { (layer, $0) }
        }
        var values = workers.map(places.count) { body(places[$0].0, places[$0].1) }[...]
        return cache.layers.map { layer in
            defer { values = values.dropFirst(layer.keys.count) }
            return Array(values.prefix(layer.keys.count))
        }
    }
}
