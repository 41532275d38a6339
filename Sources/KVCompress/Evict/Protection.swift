/// The tokens (or pages) that no score can evict: the first and the newest ones.
struct Protection: Equatable {
    var sinks: Int
    var recent: Int

    /// As many as the budget holds: recent ones give way first, then sinks.
    init(sinks: Int, recent: Int, budget: Int) {
        self.sinks = min(sinks, budget)
        self.recent = min(recent, budget - self.sinks)
    }

    /// The pages that hold a protected token, and the partial last one, within a budget in pages.
    func pages(of page: Int, tokens: Int, budget: Int) -> Protection {
        guard page > 1 else { return self }
        let count = (tokens + page - 1) / page
        let newest = min((tokens - recent) / page, tokens / page)
        return Protection(sinks: (sinks + page - 1) / page, recent: count - newest, budget: budget)
    }

    var count: Int { sinks + recent }
}
