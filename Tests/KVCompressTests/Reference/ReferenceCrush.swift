/// KVCrush in plain loops, token by token and bit by bit, as the plan grammar words it.
struct ReferenceCrush {
    /// Per query head and token.
    let s: [[Double]]
    let kvHeads: Int
    var page = 1
    var anchor: (Int) -> Bool? = { _ in nil }
    var kvBits = false

    private var tokens: Int { s[0].count }

    /// The kept tokens; all counts in tokens, `share` in percent.
    func kept(budget: Int, share: Int, sinks: Int, recent: Int) -> [Int] {
        let units = (tokens + page - 1) / page
        let budgetUnits = budget / page
        var protected = Set<Int>()
        for token in 0..<tokens where token < sinks || token >= tokens - recent {
            protected.insert(token / page)
        }
        if tokens % page != 0 { protected.insert(units - 1) }

        func members(_ unit: Int) -> [Int] { Array(unit * page..<min((unit + 1) * page, tokens)) }
        let evictable = (0..<units).filter { !protected.contains($0) }
        let base = (0..<units).map { unit in
            members(unit).reduce(0.0) { sum, token in sum + s.reduce(0) { $0 + $1[token] } }
                / Double(s.count)
        }
        let representatives = min(
            (2 * share * budgetUnits + 100) / 200,
            budgetUnits - protected.count
        )
        let important = evictable.sorted { base[$0] != base[$1] ? base[$0] > base[$1] : $0 < $1 }
            .prefix(budgetUnits - representatives - protected.count)

        let heads = kvBits ? groupMeans : s
        let evictableTokens = evictable.flatMap(members)
        let better = heads.map { head in
            Set(
                evictableTokens.sorted { head[$0] != head[$1] ? head[$0] > head[$1] : $0 < $1 }
                    .prefix(evictableTokens.count / 2)
            )
        }
        func bits(_ unit: Int) -> [Bool] {
            members(unit).flatMap { token in better.map { $0.contains(token) } }
        }

        let candidates = evictable.filter { !important.contains($0) }
        let signatures = Dictionary(uniqueKeysWithValues: candidates.map { ($0, bits($0)) })
        let width = page * heads.count
        let anchorBits = (0..<width).map { bit in
            anchor(bit) ?? (2 * candidates.filter { signatures[$0]![bit] }.count > candidates.count)
        }
        func distance(_ unit: Int) -> Int {
            zip(signatures[unit]!, anchorBits).filter { $0 != $1 }.count
        }
        let sorted = candidates.sorted { (distance($0), $0) < (distance($1), $1) }

        var kept = protected.union(important)
        var start = 0
        for bucket in 0..<representatives {
            let size =
                sorted.count / representatives + (bucket < sorted.count % representatives ? 1 : 0)
            let bucketUnits = sorted[start..<start + size]
            start += size
            func cost(_ unit: Int) -> Int {
                (0..<width).reduce(0) { sum, bit in
                    let having = bucketUnits.filter { signatures[$0]![bit] }.count
                    return sum + abs(size * (signatures[unit]![bit] ? 1 : 0) - having)
                }
            }
            kept.insert(bucketUnits.min { (cost($0), -base[$0], $0) < (cost($1), -base[$1], $1) }!)
        }
        return kept.sorted().flatMap(members)
    }

    private var groupMeans: [[Double]] {
        let group = s.count / kvHeads
        return (0..<kvHeads).map { head in
            (0..<tokens).map { token in
                s[head * group..<(head + 1) * group].reduce(0) { $0 + $1[token] } / Double(group)
            }
        }
    }
}
