@testable import KVCompress

/// Feeds a cache to a session in chunks, as a model would.
struct SessionDriver {
    let cache: Cache
    let session: CacheSession

    init(_ plan: String, _ cache: Cache, options: SessionOptions = SessionOptions()) throws {
        self.cache = cache
        session = try CacheSession(
            plan: Plan(plan), geometry: cache.layers.map(\.geometry), options: options)
    }

    /// Appends tokens and attends with their queries; outputs are `[layer][query head]`, row after row.
    @discardableResult
    func feed(_ tokens: Range<Int>, chunk: Int = 1, to other: CacheSession? = nil) throws
        -> [[[Float]]]
    {
        let session = other ?? session
        var outputs = cache.layers.map { layer in
            [[Float]](repeating: [], count: layer.queries?.count ?? 0)
        }
        for first in stride(from: tokens.lowerBound, to: tokens.upperBound, by: chunk) {
            let range = first..<min(first + chunk, tokens.upperBound)
            for (index, layer) in cache.layers.enumerated() {
                try session.append(
                    layer: index, keys: layer.keys.map { $0[range] },
                    values: layer.values.map { $0[range] })
                guard let queries = layer.queries else { continue }
                let found = try session.attend(
                    layer: index, queries: queries.map { $0[range] })
                for head in found.indices { outputs[index][head] += found[head] }
            }
        }
        return outputs
    }

    /// The worst error of the newest token's attention against naive attention over the entries.
    func worstError(_ token: Int) throws -> Double {
        let snapshot = session.snapshot()
        return try cache.layers.indices.map { layer in
            try snapshot.worstError(
                cache.layers[layer].queries!.map { $0[token..<token + 1] }, layer: layer)
        }.max()!
    }

    static func cache(
        seed: Int, tokens: Int, layers: Int = 2, kvHeads: Int = 2, dim: Int = 32
    ) throws -> Cache {
        try RandomCache(
            seed: seed, layers: layers, kvHeads: kvHeads, tokens: tokens, keyDim: dim,
            valueDim: dim, queries: tokens
        ).make()
    }
}
