/// Chooses the tokens of one layer under a budget.
///
/// Tokens are taken in units: single ones, or the pages of `select=pages(n)`.
struct LayerSelector: Sendable {
    let eviction: Eviction
    let scores: Scores
    let kvHeads: Int
    /// Queries that the layer carries.
    let queries: Int
    let layer: Int
    let kernels: Kernels
    let allocator: Allocator

    private var tokens: Int { scores.tokens }

    /// The ascending tokens of every kv head, at most `budget` (on average, when adaptive) and at least one.
    func kept(budget: Int) -> [[UInt32]] {
        guard budget < tokens else {
            return [[UInt32]](repeating: Array(0..<UInt32(tokens)), count: kvHeads)
        }
        let page = page(budget)
        let rows = scores.means(groups: eviction.sharesTokens ? 1 : kvHeads, page: page, allocator)
        let protected = protection(budget).pages(of: page, tokens: tokens, budget: budget / page)
        let contest = Contest(
            rows: rows,
            selector: eviction.selector,
            protected: protected,
            budget: budget / page
        )

        let chosen: [[UInt32]]
        if let crush = eviction.crush {
            chosen = [crush.chosen(contest, scores: scores, kvHeads: kvHeads, page: page, self)]
        } else if eviction.allocation == .adaptive {
            chosen = contest.together()
        } else {
            chosen = contest.apart()
        }
        let kept = chosen.map { contest.tokens($0, page: page, of: tokens) }
        return kept.count == kvHeads ? kept : [[UInt32]](repeating: kept[0], count: kvHeads)
    }

    /// At most so many tokens of a budget are used.
    func spends(_ budget: Int) -> Int {
        budget < tokens ? budget / page(budget) * page(budget) : tokens
    }

    /// What had to be done to the plan's words to fit a budget.
    func remarks(budget: Int) -> [String] {
        guard budget < tokens else { return [] }
        var remarks: [String] = []
        let recent = wantedRecent(budget), protected = protection(budget)
        if recent > budget - eviction.sinks {
            remarks.append(
                "\(eviction.sinks) sinks and \(recent) recent tokens exceed a budget of \(budget); "
                    + "\(protected.sinks) and \(protected.recent) are protected"
            )
        }
        if eviction.selector.page > budget {
            remarks.append(
                "a budget of \(budget) tokens holds no page of \(eviction.selector.page); tokens are taken one by one"
            )
        }
        return remarks + eviction.scorer.remarks(budget: budget, tokens: tokens, queries: queries)
    }

    /// Pages of a budget that holds none are single tokens.
    private func page(_ budget: Int) -> Int {
        eviction.selector.page <= budget ? eviction.selector.page : 1
    }

    private func wantedRecent(_ budget: Int) -> Int {
        min(
            eviction.recent?.of(tokens)
                ?? eviction.scorer.defaultRecent(budget: budget, queries: queries),
            tokens
        )
    }

    /// What no score can evict under a budget.
    func protection(_ budget: Int) -> Protection {
        Protection(sinks: eviction.sinks, recent: wantedRecent(budget), budget: budget)
    }
}

/// Rows of scores whose evictable units compete for what the protected ones leave of the budget.
struct Contest {
    let rows: Scores
    let selector: Selector
    let protected: Protection
    /// Units per row.
    let budget: Int

    /// Units that may be evicted, the same in every row.
    var evictable: Range<Int> { protected.sinks..<rows.tokens - protected.recent }
    /// Units per row for the best of them.
    var room: Int { budget - protected.count }

    /// The best `count` of the candidates, indices into all rows.
    func best(_ count: Int, of candidates: [UInt32]) -> [UInt32] {
        selector.best(
            count,
            of: candidates,
            by: rows.row(0),
            rowLength: rows.tokens,
            start: protected.sinks
        )
    }

    /// Every row spends its own budget.
    func apart() -> [[UInt32]] {
        byRow((0..<rows.heads).flatMap { best(room, of: candidates($0)) })
    }

    /// All rows compete for their budgets together, once each has a fifth of its own.
    func together() -> [[UInt32]] {
        let floor = max(0, budget / 5 - protected.count)
        let assured = (0..<rows.heads).flatMap { best(floor, of: candidates($0)) }
        let others = (0..<rows.heads).flatMap { candidates($0) }.without(assured)
        return byRow((assured + best(rows.heads * (room - floor), of: others)).sorted())
    }

    /// The tokens that chosen units stand for, with the protected ones.
    func tokens(_ chosen: [UInt32], page: Int, of count: Int) -> [UInt32] {
        let units =
            Array(0..<UInt32(protected.sinks)) + chosen
            + Array(UInt32(rows.tokens - protected.recent)..<UInt32(rows.tokens))
        guard page > 1 else { return units }
        return units.flatMap { unit in
            UInt32(Int(unit) * page)..<UInt32(min((Int(unit) + 1) * page, count))
        }
    }

    private func candidates(_ row: Int) -> [UInt32] {
        evictable.map { UInt32(row * rows.tokens + $0) }
    }

    private func byRow(_ chosen: [UInt32]) -> [[UInt32]] {
        var units = [[UInt32]](repeating: [], count: rows.heads)
        let length = UInt32(rows.tokens)
        for index in chosen { units[Int(index / length)].append(index % length) }
        return units
    }
}
