/// The vocabulary of the small model: control tokens, whole words, then pieces of prose.
///
/// Ids are fixed; Tools/train/vocabulary.py makes the same.
public enum SmallVocabulary {
    /// Begins every text.
    public static let start = 1
    /// Begins a question.
    public static let ask = 3
    /// Stands before a name whose value is another's: in statements, and behind `ask`.
    public static let hop = 4
    /// Stands before the passkey.
    public static let key = 5
    /// Ends statements and answers.
    public static let end = 6
    /// Names of facts, and features of labels.
    public static let names = 8..<274
    /// What names may have.
    public static let values = 274..<400
    /// What examples are labelled with.
    public static let labels = 400..<416
    /// Pieces of prose.
    public static let prose = 416..<1024
    /// All ids.
    public static let count = 1024
}
