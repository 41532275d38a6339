/// A context and what is asked of it.
public struct Case: Sendable, Codable {
    /// A question and its answer, which are read behind the context.
    public struct Question: Sendable, Codable {
        /// What is read first: ids.
        public var tokens: [Int]
        /// What should follow: ids; right when every one of them is the likeliest.
        public var answer: [Int]
        /// Where the last statement that the answer needs ends, as a share of the context; nil when unknown.
        public var depth: Double?

        /// Creates a question.
        public init(tokens: [Int], answer: [Int], depth: Double? = nil) {
            self.tokens = tokens
            self.answer = answer
            self.depth = depth
        }
    }

    /// Ids.
    public var context: [Int]
    /// Each is asked of a fresh copy of the context's cache.
    public var questions: [Question]
    /// The kind of task, for tables; nil is `cases`.
    public var task: String?

    /// Creates a case.
    public init(context: [Int], questions: [Question], task: String? = nil) {
        self.context = context
        self.questions = questions
        self.task = task
    }
}
