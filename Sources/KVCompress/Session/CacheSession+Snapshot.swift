extension CacheSession {
    /// What stands now, as a compressed cache: entries in the plan's form, and behind them the rows that are not
    /// compressed yet.
    ///
    /// Shares the session's memory and is not changed by what the session does later.
    public func snapshot() -> CompressedCache {
        let layers = layers.map(\.cache)
        let report = Report(
            plan: plan.description, tokens: max(tokens, 1), layers: layers,
            peakBytes: allocator.peakBytes, seconds: 0, remarks: remarks)
        return CompressedCache(
            plan: plan, tokens: tokens, metadata: options.metadata, report: report, layers: layers)
    }
}
