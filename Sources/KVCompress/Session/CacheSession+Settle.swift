extension CacheSession {
    /// Ends the prefill: applies the plan to all that stands, and keeps it from here on.
    public func compress() throws(CompressionError) {
        isCompressed = true
        try settle()
    }
    func settle() throws(CompressionError) {}
}
