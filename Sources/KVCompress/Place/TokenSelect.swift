/// Everything is kept, and every query token reads the tokens for which the heads of its layer vote
/// (TokenSelect).
///
/// A head's vote is its softmax over all keys. All heads read the same tokens: those with the most votes,
/// the sinks and the newest.
struct TokenSelect: Placement {
    static let identity = MethodIdentity(
        name: "tokenselect",
        summary:
            "keeps everything; each query token attends to the tokens its layer's heads vote for",
        source: "TokenSelect, arXiv 2411.02886, section 4 (soft vote)",
        differs:
            "every query token votes for itself: none is averaged over a chunk, and no choice is used again for "
            + "the next query; top is a share by default",
        parameters: [
            ParameterDescription(
                "top", .amount, default: "25%",
                "tokens chosen by vote, of those that a query sees and that are not chosen anyway"),
            ParameterDescription(
                "sinks", .count(0...Int.max), default: "4", "first tokens, always chosen"),
            ParameterDescription(
                "recent", .amount, default: "10%", "newest tokens that a query sees, always chosen"),
        ])

    let top: Amount
    let sinks: Int
    let recent: Amount

    init(_ arguments: Arguments) {
        top = arguments.amount("top")!
        sinks = arguments.count("sinks")
        recent = arguments.amount("recent")!
    }

    var settings: [String: String] {
        ["top": "\(top)", "sinks": "\(sinks)", "recent": "\(recent)"]
    }
    var renormalizes: Bool { true }

    func choose(_ choice: EntryChoice, workers: Workers) {
        let order = EntryOrder(choice)
        workers.run(choice.tokens) { token in
            let votes = votes(order, token)
            let seen = votes.indices.filter { votes[$0] >= 0 }.map(UInt32.init)
            guard let newest = seen.last else { return }
            let recent = min(self.recent.of(seen.count), Int(newest) + 1)
            let rest = seen.filter { $0 >= sinks && $0 <= Int(newest) - recent }
            var chosen = Set(seen).subtracting(rest)
            chosen.formUnion(
                Ranking.first(min(top.of(seen.count), rest.count), of: rest, by: votes))
            for (head, row) in rows(choice, token) {
                let logits = order.logits(head: head, row: row)
                let positions = order.positions[head]
                let seen = logits.indices.filter { logits[$0] > -.infinity }.map(UInt32.init)
                order.choose(
                    seen.filter { chosen.contains(UInt32(positions[Int($0)])) }, of: seen,
                    head: head, row: row)
            }
        }
    }

    private func rows(_ choice: EntryChoice, _ token: Int) -> [(head: Int, row: Int)] {
        (0..<choice.heads).flatMap { head in
            (0..<choice.group).map { (head, $0 * choice.tokens + token) }
        }
    }

    /// The votes of all heads by position; -1 where there is no entry that the token sees.
    private func votes(_ order: EntryOrder, _ token: Int) -> [Float] {
        let last = order.positions.compactMap(\.last).max() ?? -1
        var votes = [Float](repeating: -1, count: Int(last) + 1)
        for (head, row) in rows(order.choice, token) {
            var logits = order.logits(head: head, row: row)
            let seen = logits.indices.filter { logits[$0] > -.infinity }
            guard !seen.isEmpty else { continue }
            var own = [Float](repeating: 0, count: logits.count)
            order.choice.kernels.addSoftmax(of: &logits, to: &own)
            for entry in seen {
                let position = Int(order.positions[head][entry])
                votes[position] = max(votes[position], 0) + own[entry]
            }
        }
        return votes
    }
}
