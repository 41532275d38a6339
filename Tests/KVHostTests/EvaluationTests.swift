import Foundation
import KVCompress
import Testing

@testable import KVHost

/// Tasks are what they say, and results are counted as they should be.
@Suite struct EvaluationTests {
    typealias V = SmallVocabulary
    static let prose = (0..<3000).map { V.prose.lowerBound + $0 * 7 % V.prose.count }

    @Test(arguments: TaskKind.allCases, [256, 1024, 4096])
    func casesCanBeAnswered(kind: TaskKind, length: Int) {
        var random = SplitMix(seed: length)
        let task = kind.make(
            length: length, questions: 20, prose: Self.prose, random: &random)
        #expect(abs(task.context.count - length) <= 12)
        #expect(task.context.allSatisfy { (0..<V.count).contains($0) })
        #expect(
            !task.questions.isEmpty
                && Set(task.questions.map(\.tokens)).count == task.questions.count)
        /// Whether some tokens follow each other in the context.
        func states(_ tokens: [Int]) -> Bool {
            task.context.indices.contains { task.context[$0...].starts(with: tokens) }
        }
        for question in task.questions {
            let name = question.tokens.dropFirst()
            switch kind {
            case .recall, .repeated: #expect(states(Array(name) + question.answer + [V.end]))
            case .fewshot:
                // The label follows some example of a shared feature.
                let label = question.answer[0]
                let places = task.context.indices.filter { task.context[$0] == label }
                #expect(
                    places.contains { place in
                        !Set(task.context[max(0, place - 3)..<place]).isDisjoint(with: name)
                    })
            case .lookup where question.tokens == [V.key]:
                #expect(states([V.key] + question.answer + [V.end]))
            case .lookup where question.answer.count == 2:
                #expect(states(Array(name) + [question.answer[0], V.end]))
                #expect(states(question.answer + [V.end]))
            case .lookup: #expect(states(Array(name) + question.answer + [V.end]))
            }
            #expect(question.depth.map { $0 > 0 && $0 <= 1 } ?? (kind == .fewshot))
        }
        var again = SplitMix(seed: length)
        let same = kind.make(length: length, questions: 20, prose: Self.prose, random: &again)
        #expect(same.context == task.context)
    }

    private func outcome(_ task: String?, _ right: [Bool], stored: Int = 100) -> ContextOutcome {
        var outcome = ContextOutcome(task: task, prefill: .zero)
        outcome.answers = right.enumerated().map { .init(right: $1, depth: Double($0) / 4) }
        outcome.storedBytes = stored
        outcome.f16Bytes = 400
        return outcome
    }

    @Test func lossesArePairedAndIntervalsAreOfContexts() throws {
        let full = [
            outcome("a", [true, true, true, true]), outcome("a", [true, true, true, false]),
            outcome("b", [true, false, true, false]),
        ]
        let found = [
            outcome("a", [true, true, false, false]), outcome("a", [true, true, true, true]),
            outcome("b", [true, false, true, false]),
        ]
        let result = PlanResult(try Plan("q4"), found, full: full)
        #expect(result.ratio == 4 && result.bitsPerValue == 4 && result.questions == 12)
        #expect(result.tasks == ["a": 6.0 / 8, "b": 0.5])
        #expect(result.accuracy == 0.625)
        // Task a: +2 and -1 of 8 are 1/8 lost; task b loses nothing.
        #expect(abs(result.loss - 1.0 / 16) < 1e-12)
        // By hand: residuals 2 - 4/8 and -1 - 4/8; variance 2 (1.5^2 + 1.5^2) / 8^2; half of the mean is task a's.
        let variance = 2.0 * (1.5 * 1.5 + 1.5 * 1.5) / 64
        #expect(abs(result.lossInterval - 1.96 * variance.squareRoot() / 2) < 1e-12)
        // Right in each quarter, of three contexts.
        let quarters: [Double] = [3, 2, 2, 1]
        #expect(result.depth.map { ($0 ?? -1) * 3 }.map { $0.rounded() } == quarters)
        #expect(PlanResult(try Plan("f16"), full, full: full).loss == 0)
    }

    @Test func divergenceIsThatOfDistributions() {
        let a: [Float] = [0, 1, 2], b: [Float] = [2, 1, 0]
        func p(_ x: [Float]) -> [Double] {
            let e = x.map { exp(Double($0)) }
            return e.map { $0 / e.reduce(0, +) }
        }
        let expected = zip(p(a), p(b)).reduce(0.0) { $0 + $1.0 * log($1.0 / $1.1) }
        #expect(abs(divergence(of: b[...], from: a[...]) - expected) < 1e-12)
        #expect(divergence(of: a[...], from: a[...]) == 0)
    }
}
