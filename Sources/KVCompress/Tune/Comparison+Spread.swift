extension Comparison {
    /// Comparisons that judge at places spread over the second half of a cache's queries, the last at its end.
    ///
    /// Each one compresses the tokens before its own place only, and holds out the next `holdout` tokens.
    /// - Parameters:
    ///   - cache: with queries of more than its last `holdout` tokens.
    ///   - places: how many; fewer where not each would have 4 `holdout` queries of its own.
    ///   - holdout: tokens that judge at each place.
    ///   - options: what compressing may use.
    /// - Throws: `CompressionError` when the cache has too few tokens or carries too few queries.
    public static func spread(
        over cache: Cache, places: Int = 3, holdout: Int = 32,
        options: CompressionOptions = CompressionOptions()
    ) throws(CompressionError) -> [Comparison] {
        precondition(places > 0, "there is at least one place")
        let queries = cache.layers.map { $0.queries?[0].count ?? 0 }.min() ?? 0
        let count = max(1, min(places, queries / (4 * max(holdout, 1)) + 1))
        var comparisons: [Comparison] = []
        for left in (0..<count).reversed() {
            let end = cache.tokens - left * (queries / 2) / max(count - 1, 1)
            comparisons.append(
                try Comparison(cache: cache.prefix(end), holdout: holdout, options: options))
        }
        return comparisons
    }
}
