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

    /// All query heads of one kv head, in blocks of 64 rows at most, so that keys are read once per block.
    private static func observe(
        _ request: Request,
        _ observation: Observation,
        layer index: Int,
        kvHead: Int,
        into target: Buffer<Float>
    ) {
        let cache = observation.cache, layer = cache.layers[index], kernels = observation.kernels
        guard let queries = layer.queries, let group = layer.group else {
            preconditionFailure("no queries")
        }
        let keys = layer.keys[kvHead], tokens = cache.tokens, count = queries[0].count
        let onlyWindow = request.reductions == [.windowSum]
        let window = max(0, count - request.window)
        let positions = min(max(1, 64 / group), count)
        let packed = observation.allocator.buffer(Float.self, group * positions * keys.dim)
        let logits = observation.allocator.buffer(Float.self, group * positions * tokens)
        let scale = Float(1 / Double(keys.dim).squareRoot())

        defer { withExtendedLifetime((packed, logits, target)) {} }

        // Queries outside the window are no part of a window sum.
        for start in stride(from: onlyWindow ? window : 0, to: count, by: positions) {
            let block = start..<min(start + positions, count)
            let visible = block.map { UInt32(tokens - count + $0 + 1) }
            let seen = tokens - count + block.upperBound
            for member in 0..<group {
                kernels.convert(
                    queries[kvHead * group + member],
                    rows: block,
                    to: packed.pointer + member * block.count * keys.dim
                )
            }
            kernels.dots(
                packed.pointer,
                rows: group * block.count,
                with: keys,
                count: seen,
                to: logits.pointer,
                stride: tokens
            )
            for member in 0..<group {
                let head = kvHead * group + member
                kernels.observe(
                    logits.pointer + member * block.count * tokens,
                    stride: tokens,
                    keys: seen,
                    visible: visible,
                    scale: scale,
                    windowStart: min(max(0, window - start), block.count),
                    threshold: request.threshold
                ) { reduction in
                    place(reduction, in: request).map {
                        target.pointer + ($0 * queries.count + head) * tokens
                    }
                }
            }
        }
    }
}
