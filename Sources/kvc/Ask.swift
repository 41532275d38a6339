import ArgumentParser
import Foundation
import KVCompress
import KVFiles
import KVHost

struct Ask: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask",
        abstract:
            "Show the embedded model answering questions, with its full cache and with a compressed one.",
        discussion: """
            A context of every task is made and read once. The plan compresses a copy of its cache, and the \
            same questions are asked of both.

            Example:
              kvc ask --plan 'h2o(budget=25%) | q4'
            """
    )

    @Option(name: .long, help: "What is done to the cache.")
    var plan = "keydiff(budget=43%, tokens=layer) | q4"

    @Option(name: .long, help: ArgumentHelp("Tokens of a context.", valueName: "n"))
    var length = 1024

    @Option(name: .long, help: ArgumentHelp("Questions of a context.", valueName: "n"))
    var questions = 3

    @Option(name: .long, help: ArgumentHelp("Which contexts.", valueName: "n"))
    var seed = 1

    func validate() throws {
        guard (64...8192).contains(length) else {
            throw ValidationError("--length takes 64...8192.")
        }
        guard questions > 0 else { throw ValidationError("--questions takes 1 or more.") }
    }

    func run() throws {
        let plan = try Plan(typed: plan)
        let model = try EmbeddedModel.model(nil)
        let tokenizer = try Tokenizer(GGUF(EmbeddedModel.file))
        var random = SplitMix(seed: seed)
        var table = Table(leading: 5)
        table.add(["", "question", "right answer", "full cache", "compressed"])
        var sizes = (full: 0, compressed: 0)
        for kind in TaskKind.allCases {
            let task = kind.make(
                length: length, questions: questions, prose: EmbeddedModel.prose, random: &random)
            if kind == .recall { print(excerpt(of: task, tokenizer) + "\n") }
            let full = try model.prefilled(task.context)
            let compressed = try full.fork(with: plan)
            try full.compress()
            try compressed.compress()
            sizes.full += full.ledger.storedBytes
            sizes.compressed += compressed.ledger.storedBytes
            for (index, question) in task.questions.enumerated() {
                let answers = try [full, compressed].map {
                    try model.answer(
                        to: question.tokens, count: question.answer.count, $0.fork())
                }
                let right = words(question.answer, tokenizer)
                table.add(
                    [index == 0 ? kind.rawValue : "", words(question.tokens, tokenizer), right]
                        + answers.map {
                            words($0, tokenizer) + ($0 == question.answer ? "" : "  (wrong)")
                        })
            }
        }
        print(table.text)
        let ratio = Double(sizes.full) / Double(sizes.compressed)
        print(
            "\n\(plan): \(sizes.compressed.grouped) bytes instead of \(sizes.full.grouped), "
                + "\(String(format: "%.1f", ratio)) times smaller.")
    }

    /// The words of some ids, apart from each other; prose is put together.
    private func words(_ tokens: [Int], _ tokenizer: Tokenizer) -> String {
        var words: [String] = [], prose: [Int] = []
        func end() {
            guard !prose.isEmpty else { return }
            words.append(tokenizer.decode(prose).trimmingCharacters(in: .whitespaces))
            prose = []
        }
        for token in tokens {
            if SmallVocabulary.prose.contains(token) {
                prose.append(token)
                continue
            }
            end()
            switch token {
            case SmallVocabulary.ask: continue
            case SmallVocabulary.hop: words.append("friend of")
            case SmallVocabulary.key: words.append("passkey")
            case SmallVocabulary.end: words[words.count - 1] += "."
            default:
                let word = tokenizer.decode([token])
                if !word.isEmpty { words.append(word) }
            }
        }
        end()
        return words.joined(separator: " ")
    }

    /// The beginning of a context.
    private func excerpt(of task: Case, _ tokenizer: Tokenizer) -> String {
        var lines = ["A context of \(task.context.count) tokens begins:", "   "]
        for word in words(Array(task.context.prefix(150)), tokenizer).split(separator: " ") {
            if lines[lines.count - 1].count + word.count > 100 { lines.append("   ") }
            lines[lines.count - 1] += " " + word
        }
        return lines.joined(separator: "\n") + " ..."
    }
}
