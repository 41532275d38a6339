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

    /// The ascending tokens of every kv head, at most its count and at least one, and those among them that
    /// KVCrush keeps for others.
    func kept(_ counts: [Int]) -> (tokens: [[UInt32]], representatives: [UInt32]) {
        guard counts.contains(where: { $0 < tokens }) else {
            return ([[UInt32]](repeating: Array(0..<UInt32(tokens)), count: kvHeads), [])
        }
        let contest = contest(counts)
        guard let crush = eviction.crush else {
            let kept = contest.chosen().map { contest.tokens($0, of: tokens) }
            return (
                kept.count == kvHeads ? kept : [[UInt32]](repeating: kept[0], count: kvHeads), []
            )
        }
        let (important, representatives) = crush.chosen(
            contest, scores: scores, kvHeads: kvHeads, self)
        let kept = contest.tokens((important + representatives).sorted(), of: tokens)
        return (
            [[UInt32]](repeating: kept, count: kvHeads),
            contest.tokens(of: representatives, of: tokens)
        )
    }

    /// What stands against each other when all tokens may be kept: protected is what the plan says.
    func contestOfAll() -> Contest { contest([Int](repeating: tokens, count: kvHeads)) }

    /// What stands against each other under the counts of every head: one row where heads share their tokens.
    func contest(_ counts: [Int]) -> Contest {
        let page = page(counts), groups = eviction.sharesTokens ? 1 : kvHeads
        let rows = scores.means(groups: groups, page: page, allocator)
        let protected = protection(counts.reduce(0, +) / kvHeads, least: least(counts))
        return Contest(
            rows: rows,
            selector: eviction.selector,
            page: page,
            protected: protected.pages(of: page, tokens: tokens, budget: least(counts) / page),
            budgets: counts.prefix(groups).map { $0 < tokens ? $0 / page : rows.tokens }
        )
    }

    /// At most so many tokens of the counts are used.
    func spends(_ counts: [Int]) -> [Int] {
        let page = page(counts)
        return counts.map { $0 < tokens ? $0 / page * page : tokens }
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

    /// Pages of counts of which one holds none are single tokens.
    private func page(_ counts: [Int]) -> Int {
        eviction.selector.page <= least(counts) ? eviction.selector.page : 1
    }

    private func least(_ counts: [Int]) -> Int { counts.min() ?? tokens }

    private func wantedRecent(_ budget: Int) -> Int {
        min(
            eviction.recent?.of(tokens)
                ?? eviction.scorer.defaultRecent(budget: budget, queries: queries),
            tokens
        )
    }

    /// What no score can evict under a budget, of which a head gets `least` at least.
    func protection(_ budget: Int, least: Int? = nil) -> Protection {
        Protection(sinks: eviction.sinks, recent: wantedRecent(budget), budget: least ?? budget)
    }
}

/// Rows of scores whose evictable units compete for what the protected ones leave of the budget.
struct Contest {
    let rows: Scores
    let selector: Selector
    /// Tokens of a unit.
    let page: Int
    let protected: Protection
    /// Units that each row may keep.
    let budgets: [Int]

    /// Units that may be evicted, the same in every row.
    var evictable: Range<Int> { protected.sinks..<rows.tokens - protected.recent }

    /// Units of a row for the best of them.
    func room(_ row: Int = 0) -> Int { budgets[row] - protected.count }

    /// A row's evictable units, indices into all rows.
    func candidates(_ row: Int) -> [UInt32] {
        evictable.map { UInt32(row * rows.tokens + $0) }
    }

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

    /// The fewest units of a row whose measures reach a share of their sum: the protected ones, then the best
    /// of the others by score.
    func fewest(_ row: Int, reaching share: Double, of measure: (_ unit: Int) -> Double) -> Int {
        let scores = rows.row(row), units = 0..<rows.tokens
        let enough = share * units.reduce(0) { $0 + measure($1) }
        var sum = units.reduce(0) { evictable.contains($1) ? $0 : $0 + measure($1) }
        var count = protected.count
        for unit in evictable.sorted(by: { (scores[$1], $0) < (scores[$0], $1) }) where sum < enough
        {
            sum += measure(unit)
            count += 1
        }
        return max(count, 1)
    }

    /// Every row spends its own budget on its best.
    func chosen() -> [[UInt32]] {
        byRow((0..<rows.heads).flatMap { best(room($0), of: candidates($0)) })
    }

    /// Units of each row among indices into all rows.
    func byRow(_ chosen: [UInt32]) -> [[UInt32]] {
        var units = [[UInt32]](repeating: [], count: rows.heads)
        let length = UInt32(rows.tokens)
        for index in chosen { units[Int(index / length)].append(index % length) }
        return units
    }

    /// The tokens that chosen units of a row stand for, with the protected ones.
    func tokens(_ chosen: [UInt32], of count: Int) -> [UInt32] {
        let units =
            Array(0..<UInt32(protected.sinks)) + chosen
            + Array(UInt32(rows.tokens - protected.recent)..<UInt32(rows.tokens))
        return tokens(of: units, of: count)
    }

    /// The tokens of units.
    func tokens(of units: [UInt32], of count: Int) -> [UInt32] {
        guard page > 1 else { return units }
        return units.flatMap { unit in
            UInt32(Int(unit) * page)..<UInt32(min((Int(unit) + 1) * page, count))
        }
    }
}
