/// The tasks of the small model: Tools/train/tasks.py describes and makes the same for training.
public enum TaskKind: String, Sendable, CaseIterable {
    /// Names and their values among prose.
    case recall
    /// A passkey, names of two words, and names that lead to another name.
    case lookup
    /// Examples with labels: the label of a new one.
    case fewshot
    /// As recall, where facts are stated one to four times, and those stated more often are asked more often.
    case repeated

    /// A case of this kind.
    ///
    /// - Parameters:
    ///   - length: tokens of the context.
    ///   - questions: at most so many, all different.
    ///   - prose: what stands between statements; runs of it are drawn at random.
    public func make(length: Int, questions: Int, prose: [Int], random: inout SplitMix) -> Case {
        let room = max(length * (self == .fewshot ? 5 : 2) / 20, 12)
        var draft = Draft()
        switch self {
        case .recall: draft.state(facts: room / 3, times: 1...1, &random)
        case .repeated: draft.state(facts: room * 2 / 15, times: 1...4, &random)
        case .lookup: draft.look(count: max(1, room / 11), &random)
        case .fewshot: draft.label(examples: room / 5, &random)
        }
        return draft.made(
            length: length, questions: questions, prose: prose, task: rawValue, random: &random)
    }
}

/// Statements and what may be asked of them.
private struct Draft {
    typealias V = SmallVocabulary

    /// A question, and the statements that its answer needs.
    struct Asked {
        var question: Case.Question
        var statements: [Int]
        var weight = 1
    }

    var statements: [[Int]] = []
    var asked: [Asked] = []

    mutating func state(facts: Int, times: ClosedRange<Int>, _ random: inout SplitMix) {
        for name in random.sample(max(2, facts), of: V.names) {
            let value = random.pick(V.values)
            let count = Int.random(in: times, using: &random)
            let places = (0..<count).map { statements.count + $0 }
            statements += places.map { _ in [name, value, V.end] }
            asked.append(
                Asked(
                    question: .init(tokens: [V.ask, name], answer: [value]), statements: places,
                    weight: count))
        }
    }

    mutating func look(count: Int, _ random: inout SplitMix) {
        let key = (0..<3).map { _ in random.pick(V.values) }
        add([[V.key] + key + [V.end]], ask: [V.key], answer: key)
        let all = random.sample(2 * count + max(2, count / 2), of: V.names)
        let firsts = Array(all.dropFirst(2 * count))
        var pairs: Set<[Int]> = []
        for index in 0..<count {
            let pair = [
                firsts.randomElement(using: &random)!, firsts.randomElement(using: &random)!,
            ]
            if pairs.insert(pair).inserted {
                let value = random.pick(V.values)
                add([pair + [value, V.end]], ask: [V.ask] + pair, answer: [value])
            }
            let (from, to, value) = (all[2 * index], all[2 * index + 1], random.pick(V.values))
            add(
                [[V.hop, from, to, V.end], [to, value, V.end]], ask: [V.ask, V.hop, from],
                answer: [to, value])
        }
    }

    private mutating func add(_ new: [[Int]], ask: [Int], answer: [Int]) {
        asked.append(
            Asked(
                question: .init(tokens: ask, answer: answer),
                statements: Array(statements.count..<statements.count + new.count)))
        statements += new
    }

    mutating func label(examples: Int, _ random: inout SplitMix) {
        let classes = random.pick(3..<9)
        let features = random.sample(4 * classes, of: V.names)
        let labels = random.sample(classes, of: V.labels)
        func example(_ kind: Int, noise: Int, _ random: inout SplitMix) -> [Int] {
            features[4 * kind..<4 * kind + 4].shuffled(using: &random).prefix(3).map {
                random.below(100) < noise ? random.pick(V.names) : $0
            }
        }
        var stated = [Set<Int>](repeating: [], count: classes)
        for _ in 0..<examples {
            let kind = random.below(classes), names = example(kind, noise: 10, &random)
            statements.append(names + [labels[kind], V.end])
            stated[kind].formUnion(names)
        }
        for _ in 0..<4 * examples {
            let kind = random.below(classes)
            let tokens = [V.ask] + example(kind, noise: 0, &random)
            // What no example shows cannot be known.
            if stated[kind].isSuperset(of: tokens.dropFirst()),
                asked.allSatisfy({ $0.question.tokens != tokens })
            {
                asked.append(
                    Asked(
                        question: .init(tokens: tokens, answer: [labels[kind]]), statements: []))
            }
        }
    }

    /// Statements in random order among prose, and some of the questions, the heavier likelier.
    func made(
        length: Int, questions: Int, prose: [Int], task: String, random: inout SplitMix
    ) -> Case {
        let order = statements.indices.shuffled(using: &random)
        let room = max(0, length - 1 - statements.reduce(0) { $0 + $1.count })
        let cuts = order.map { _ in random.below(room + 1) }.sorted()
        var context = [V.start], ends = [Int](repeating: 0, count: statements.count), last = 0
        func text(_ count: Int, _ random: inout SplitMix) -> ArraySlice<Int> {
            let first = random.below(prose.count - count)
            return prose[first..<first + count]
        }
        for (cut, statement) in zip(cuts, order) {
            context += text(cut - last, &random)
            context += statements[statement]
            ends[statement] = context.count
            last = cut
        }
        context += text(room - last, &random)
        var left = asked, chosen: [Case.Question] = []
        while chosen.count < questions, !left.isEmpty {
            var ticket = random.below(left.reduce(0) { $0 + $1.weight })
            let index = left.firstIndex {
                ticket -= $0.weight
                return ticket < 0
            }!
            let taken = left.remove(at: index)
            var question = taken.question
            question.depth = taken.statements.map { ends[$0] }.max().map {
                Double($0) / Double(context.count)
            }
            chosen.append(question)
        }
        return Case(context: context, questions: chosen, task: task)
    }
}
