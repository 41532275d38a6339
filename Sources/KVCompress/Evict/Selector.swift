/// How the tokens of highest score are taken.
public enum Selector: Hashable, Sendable, CustomStringConvertible {
    /// One by one.
    case top
    /// By runs of so many tokens between the sinks and the recent ones, ranked by their mean score (ChunkKV,
    /// arXiv 2502.00299). Of the run that no longer fits, the best tokens are taken.
    case chunks(Int)
    /// By pages of so many tokens, counted from token 0 and ranked by their summed score. Only whole pages
    /// are kept; one that holds a protected token, and the partial last one, are protected.
    case pages(Int)

    /// The canonical text.
    public var description: String {
        switch self {
        case .top: "top"
        case .chunks(let length): "chunks(\(length))"
        case .pages(let length): "pages(\(length))"
        }
    }

    static let kind: ValueKind = {
        func length(_ text: String) -> [ParameterDescription] {
            [ParameterDescription("tokens", .count(1...65536), default: text, "tokens of one")]
        }
        return .choice([.init("top"), .init("chunks", length("8")), .init("pages", length("16"))])
    }()

    init(_ choice: (word: String, arguments: Arguments)) {
        switch choice.word {
        case "chunks": self = .chunks(choice.arguments.count("tokens"))
        case "pages": self = .pages(choice.arguments.count("tokens"))
        default: self = .top
        }
    }

    /// Tokens of what is kept or dropped as one.
    var page: Int {
        if case .pages(let length) = self { length } else { 1 }
    }

    /// The best `count` of the candidates: ascending indices into rows of `rowLength` scores, whose first
    /// chunk begins at `start` of each row.
    func best(
        _ count: Int,
        of candidates: [UInt32],
        by scores: UnsafePointer<Float>,
        rowLength: Int,
        start: Int
    ) -> [UInt32] {
        guard case .chunks(let length) = self, count < candidates.count else {
            return Ranking.first(count, of: candidates, by: scores)
        }
        var chunks: [(score: Float, members: ArraySlice<UInt32>)] = []
        var rest = candidates[...]
        while let first = rest.first {
            // Chunk ends are in the row's coordinates; a row's end ends its last chunk.
            let row = Int(first) / rowLength, offset = Int(first) % rowLength - start
            let end = min(
                row * rowLength + start + (offset / length + 1) * length,
                (row + 1) * rowLength
            )
            let members = rest.prefix { $0 < end }
            let sum = members.reduce(0.0) { $0 + Double(scores[Int($1)]) }
            chunks.append((Float(sum / Double(members.count)), members))
            rest = rest.dropFirst(members.count)
        }
        var best: [UInt32] = []
        for index in chunks.indices.sorted(by: { (chunks[$1].score, $0) < (chunks[$0].score, $1) })
        {
            let room = count - best.count
            if room == 0 { break }
            best += Ranking.first(room, of: Array(chunks[index].members), by: scores)
        }
        return best.sorted()
    }
}
