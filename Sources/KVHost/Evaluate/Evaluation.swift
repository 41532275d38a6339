public import KVCompress

/// What a model answers with compressed caches, against the full one: the same contexts and questions for every plan.
///
/// A context is read once; every plan compresses a copy of what stands then, before it sees a question, and
/// every question is asked of a fork of that. Nothing that was compressed is read again in full.
public struct Evaluation: Sendable {
    /// What is measured.
    public struct Options: Sendable {
        /// Of so many questions one is also asked the other way: known when the context is compressed.
        ///
        /// 0: none.
        public var knownEvery = 8
        /// Tokens of prose that are compressed, and those behind them that are judged.
        public var prose = (context: 768, judged: 128)
        /// Threads that contexts are shared out to; results do not depend on their number.
        public var workers: Workers = .caller

        /// One question in eight is also asked in advance; prose of 768 + 128 tokens.
        public init() {}
    }

    let model: Model
    let cases: [Case]
    let passages: [[Int]]
    let options: Options

    /// An evaluation of cases, and of passages of prose.
    ///
    /// - Parameter passages: each at least as long as the options' prose; longer ones are cut.
    public init(_ model: Model, cases: [Case], passages: [[Int]], options: Options = Options()) {
        let length = options.prose.context + options.prose.judged
        precondition(passages.allSatisfy { $0.count >= length }, "a passage that is too short")
        self.model = model
        self.cases = cases
        self.passages = passages.map { Array($0.prefix(length)) }
        self.options = options
    }

    /// Evaluates plans, the full cache (`f16`) first.
    ///
    /// - Parameter progress: told how many of how many contexts are done.
    /// - Throws: `CompressionError` of a plan that the model's caches cannot go through.
    public func run(
        _ plans: [Plan],
        progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws(CompressionError) -> [PlanResult] {
        let plans = try [Plan("f16")] + plans
        let count = cases.count + passages.count
        let done = Locked(0)
        let results = options.workers.map(count) { index in
            defer {
                progress(
                    done.withLock {
                        $0 += 1
                        return $0
                    }, count)
            }
            return Result { () throws(CompressionError) in
                index < cases.count
                    ? try answers(cases[index], plans)
                    : try likelihoods(passages[index - cases.count], plans)
            }
        }
        var outcomes = plans.map { _ in [ContextOutcome]() }
        for result in results {
            for (plan, outcome) in try result.get().enumerated() { outcomes[plan].append(outcome) }
        }
        return plans.indices.map { PlanResult(plans[$0], outcomes[$0], full: outcomes[0]) }
    }

    // MARK: Questions

    private func answers(
        _ task: Case, _ plans: [Plan]
    ) throws(CompressionError) -> [ContextOutcome] {
        let clock = ContinuousClock()
        let start = clock.now
        let prefill = try model.prefilled(task.context)
        let prefillTime = clock.now - start
        var outcomes: [ContextOutcome] = []
        for plan in plans {
            var outcome = ContextOutcome(task: task.task ?? "cases", prefill: prefillTime)
            let session = try prefill.fork(with: plan)
            let before = clock.now
            try session.compress()
            outcome.compress = clock.now - before
            outcome.count(session)
            let decode = clock.now
            for question in task.questions {
                let right = try answered(question, session.fork())
                outcome.answers.append(.init(right: right, depth: question.depth))
                outcome.decoded += question.tokens.count + question.answer.count - 1
            }
            outcome.decode = clock.now - decode
            if options.knownEvery > 0 {
                for question in task.questions.enumerated()
                where question.offset % options.knownEvery == 0 {
                    let known = try prefill.fork(with: plan)
                    // The question's queries are observed, and its rows taken back: it comes later.
                    _ = try model.read(question.element.tokens, known, logits: .none)
                    try known.truncate(to: task.context.count, observed: true)
                    try known.compress()
                    outcome.known.append(try answered(question.element, known))
                }
            }
            outcomes.append(outcome)
        }
        return outcomes
    }

    /// Whether every token of the answer is the likeliest one where it should follow.
    private func answered(
        _ question: Case.Question, _ session: CacheSession
    ) throws(CompressionError) -> Bool {
        let logits = try model.read(question.tokens + question.answer.dropLast(), session)
        let width = model.vocabulary
        return question.answer.enumerated().allSatisfy { index, token in
            let row = (question.tokens.count - 1 + index) * width
            return logits[row..<row + width].likeliest == token
        }
    }

    // MARK: Prose

    private func likelihoods(
        _ passage: [Int], _ plans: [Plan]
    ) throws(CompressionError) -> [ContextOutcome] {
        let prefill = try model.prefilled(Array(passage.prefix(options.prose.context)))
        // The first judged token is only read: what predicts it stands before the cache was compressed.
        let judged = Array(passage[options.prose.context...])
        var full: [Float] = []
        var outcomes: [ContextOutcome] = []
        for plan in plans {
            var outcome = ContextOutcome(task: nil, prefill: .zero)
            let session = try prefill.fork(with: plan)
            try session.compress()
            outcome.count(session)
            let logits = try model.read(Array(judged.dropLast()), session)
            if full.isEmpty { full = logits }
            outcome.losses = negativeLogLikelihoods(Array(judged.dropFirst()), logits)
            let width = model.vocabulary
            for row in stride(from: 0, to: logits.count, by: width) {
                let (a, b) = (full[row..<row + width], logits[row..<row + width])
                outcome.divergences.append(divergence(of: b, from: a))
                outcome.agreements += a.likeliest == b.likeliest ? 1 : 0
            }
            outcomes.append(outcome)
        }
        return outcomes
    }
}
