/// Attention that every key received from the queries of a cache, per query head, reduced over queries.
///
/// Query i of n stands at position tokens - n + i and sees the keys up to its own. Probabilities exist for
/// one block of queries at a time, never tokens x tokens.
struct ReceivedAttention: Sendable {
    /// What is kept of a key's column of probabilities.
    enum Reduction: Hashable, CaseIterable {
        case sum, windowSum, squares, entropy, below, maximum
    }

    /// What to compute.
    struct Request: Hashable {
        var reductions: Set<Reduction>
        /// The last queries that are looked at.
        var last = Int.max
        /// The last queries that `windowSum` counts.
        var window = 0
        /// `below` counts the queries that pay less than this share of what even attention would.
        var threshold: Float = 1
    }

    private let request: Request
    /// `[layer]`, each reductions x query heads x tokens in the order of `Reduction.allCases`.
    private let layers: [Buffer<Float>]
    private let tokens: Int

    /// A layer's reduction, query heads x tokens.
    func rows(_ reduction: Reduction, layer: Int, heads: Int) -> UnsafePointer<Float> {
        guard let place = Self.place(reduction, in: request) else {
            preconditionFailure("not requested")
        }
        return UnsafePointer(layers[layer].pointer + place * heads * tokens)
    }

    private static func place(_ reduction: Reduction, in request: Request) -> Int? {
        Reduction.allCases.filter(request.reductions.contains).firstIndex(of: reduction)
    }

    init(_ request: Request, of observation: Observation) {
        let cache = observation.cache
        self.request = request
        tokens = cache.tokens
        let layers = cache.layers.map { layer in
            observation.allocator.buffer(
                Float.self,
                request.reductions.count * (layer.queries?.count ?? 0) * cache.tokens
            )
        }
        self.layers = layers
        _ = observation.perHead { layer, head in
            Self.observe(request, observation, layer: layer, kvHead: head, into: layers[layer])
        }
    }

    /// All query heads of one kv head.
    private static func observe(
        _ request: Request,
        _ observation: Observation,
        layer: Int,
        kvHead: Int,
        into target: Buffer<Float>
    ) {
        let cache = observation.cache, keys = cache.layers[layer].keys[kvHead]
        guard let queries = cache.layers[layer].queries, let group = cache.layers[layer].group
        else {
            preconditionFailure("no queries")
        }
        let count = queries[0].count, window = max(0, count - request.window)
        // Queries outside the window are no part of a window sum.
        let first = request.reductions == [.windowSum] ? window : max(0, count - request.last)
        let scale = Float(1 / Double(keys.dim).squareRoot())
        if let before = cache.layers[layer].origins?.heads[kvHead].received, !before.isEmpty,
            let place = place(.sum, in: request)
        {
            for head in kvHead * group..<(kvHead + 1) * group {
                let sums = target.pointer + (place * queries.count + head) * cache.tokens
                for entry in before.indices { sums[entry] = before[entry] }
            }
        }
        observation.forEachLogitBlock(layer: layer, kvHead: kvHead, from: first) { block in
            for member in 0..<group {
                let head = kvHead * group + member
                observation.kernels.observe(
                    block.rows(member),
                    stride: block.stride,
                    keys: block.seen,
                    visible: block.visible,
                    scale: scale,
                    windowStart: min(
                        max(0, window - block.queries.lowerBound), block.queries.count),
                    threshold: request.threshold
                ) { reduction in
                    place(reduction, in: request).map {
                        target.pointer + ($0 * queries.count + head) * cache.tokens
                    }
                }
            }
        }
    }
}
