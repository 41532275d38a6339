import KVCompress

/// What one plan did with one context.
struct ContextOutcome: Sendable {
    struct Answer: Sendable {
        var right: Bool
        var depth: Double?
    }

    /// The kind of task; nil for prose.
    var task: String?
    var answers: [Answer] = []
    /// The answers to questions that were known before the context was compressed.
    var known: [Bool] = []
    /// -log p of judged tokens, in nats.
    var losses: [Double] = []
    /// KL divergence from the full cache's predictions, in nats.
    var divergences: [Double] = []
    /// Judged tokens where the likeliest one is that of the full cache.
    var agreements = 0
    var storedBytes = 0
    var f16Bytes = 0
    var prefill: Duration
    var compress = Duration.zero
    var decode = Duration.zero
    /// Tokens read while answering.
    var decoded = 0

    init(task: String?, prefill: Duration) {
        self.task = task
        self.prefill = prefill
    }

    mutating func count(_ session: CacheSession) {
        storedBytes = session.ledger.storedBytes
        f16Bytes = session.f16Bytes
    }
}
