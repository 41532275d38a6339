/// Values in a mapped file, of which every query row reads the few that it attends to most (KCache).
struct KCache: Placement {
    static let identity = MethodIdentity(
        name: "kcache",
        summary: "values live in a mapped file; each query reads those it attends to most",
        source: "KCache, arXiv 2404.18057",
        differs:
            "the paper gives no detail: probabilities are over all keys, the best are chosen per query head, and "
            + "weights are not normalised anew",
        parameters: [
            ParameterDescription(
                "top", .count(1...Int.max), default: "128",
                "values that a query row reads; the weights of the others are not made up for"),
            ParameterDescription(
                "first", .count(0...Int.max), default: "0",
                "so many first layers keep their values in memory and are read whole"),
        ])

    let top: Int
    let first: Int

    init(_ arguments: Arguments) {
        top = arguments.count("top")
        first = arguments.count("first")
    }

    var settings: [String: String] { ["top": "\(top)", "first": "\(first)"] }
    var mapsValues: Bool { true }
    var renormalizes: Bool { false }

    func choose(_ choice: EntryChoice, workers: Workers) {
        workers.run(choice.heads * choice.rows) { index in
            let (head, row) = index.quotientAndRemainder(dividingBy: choice.rows)
            choice.chooseLargest(top, head: head, row: row)
        }
    }
}
