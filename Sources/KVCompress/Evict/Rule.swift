/// How what single queries say of a token becomes its score.
enum Rule: String, CaseIterable {
    /// Divided by the number of queries that could see the token.
    case mean
    /// As the papers add it up, whatever the number of queries.
    case sum

    static let parameter = ParameterDescription(
        "rule",
        .words(Rule.self),
        default: "mean",
        "per query that could see the token, or the paper's sum over them all"
    )

    /// The score of a token from the sum over so many queries that could see it.
    func score(_ sum: Float, seenBy queries: Int) -> Float {
        self == .sum ? sum : sum / Float(queries)
    }
}
