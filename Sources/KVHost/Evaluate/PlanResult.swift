import Foundation
import KVCompress

/// What a plan made of an evaluation.
public struct PlanResult: Sendable, Encodable {
    /// The plan.
    public var plan: String
    /// Bytes of the same caches in f16 over stored ones, all side data counted.
    public var ratio: Double
    /// Stored bits for each number of the original caches.
    public var bitsPerValue: Double
    /// Stored bytes of a context, the mean.
    public var storedBytes: Int
    /// The mean over tasks of the share of right answers: questions unknown when the context was compressed.
    public var accuracy: Double
    /// What to add and subtract for a 95% interval of it, contexts taken as drawn at random.
    public var accuracyInterval: Double
    /// How much of the full cache's accuracy is lost, the same questions compared; positive is worse.
    public var loss: Double
    /// What to add and subtract for a 95% interval of it, contexts taken as drawn at random.
    public var lossInterval: Double
    /// The share of right answers by task.
    public var tasks: [String: Double]
    /// The same for questions that were known: it counts for nothing but is worth a look.
    public var accuracyKnown: Double?
    /// The share of right answers where what they need ends in each quarter of the context.
    public var depth: [Double?]
    /// Questions asked.
    public var questions: Int
    /// exp of the mean -log p of judged prose.
    public var perplexity: Double?
    /// Mean KL divergence from the full cache's predictions, in nats.
    public var kl: Double?
    /// Share of judged tokens whose likeliest token is the full cache's.
    public var top1: Double?
    /// Reading a context, compressing it, and reading one token of a question or answer.
    public var prefillMilliseconds: Double
    /// Applying the plan to one context.
    public var compressMilliseconds: Double
    /// One token of a question.
    public var decodeMilliseconds: Double

    enum CodingKeys: String, CodingKey {
        case plan, ratio, accuracy, loss, tasks, depth, questions, perplexity, kl, top1
        case bitsPerValue = "bits_per_value"
        case storedBytes = "stored_bytes"
        case accuracyInterval = "accuracy_interval"
        case lossInterval = "loss_interval"
        case accuracyKnown = "accuracy_known"
        case prefillMilliseconds = "prefill_ms"
        case compressMilliseconds = "compress_ms"
        case decodeMilliseconds = "decode_ms_per_token"
    }

    init(_ plan: Plan, _ outcomes: [ContextOutcome], full: [ContextOutcome]) {
        self.plan = plan.description
        let asked = zip(outcomes, full).filter { !$0.0.answers.isEmpty }
        let stored = outcomes.reduce(0) { $0 + $1.storedBytes }
        let f16 = outcomes.reduce(0) { $0 + $1.f16Bytes }
        ratio = Double(f16) / Double(stored)
        bitsPerValue = 16 * Double(stored) / Double(f16)
        storedBytes = stored / max(outcomes.count, 1)
        let kinds = Set(asked.compactMap(\.0.task)).sorted()
        var tasks: [String: Double] = [:], right = 0.0, gone = 0.0, spread = 0.0, lost = 0.0
        for kind in kinds {
            let contexts = asked.filter { $0.0.task == kind }
            let own = Clusters(contexts.map { $0.0.answers.map { $0.right ? 1 : 0 } })
            let paired = Clusters(
                contexts.map { pair in
                    zip(pair.0.answers, pair.1.answers).map {
                        ($1.right ? 1 : 0) - ($0.right ? 1 : 0)
                    }
                })
            tasks[kind] = own.mean
            right += own.mean
            spread += own.variance
            lost += paired.mean
            gone += paired.variance
        }
        // A mean over tasks, whose errors are independent.
        let n = Double(max(kinds.count, 1))
        self.tasks = tasks
        accuracy = right / n
        accuracyInterval = 1.96 * spread.squareRoot() / n
        loss = lost / n
        lossInterval = 1.96 * gone.squareRoot() / n
        questions = asked.reduce(0) { $0 + $1.0.answers.count }
        let known = kinds.compactMap { kind -> Double? in
            let all = asked.filter { $0.0.task == kind }.flatMap(\.0.known)
            return all.isEmpty ? nil : Double(all.count { $0 }) / Double(all.count)
        }
        accuracyKnown = known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
        let answers = asked.flatMap(\.0.answers)
        depth = (0..<4).map { quarter in
            let here = answers.filter { $0.depth.map { min(Int($0 * 4), 3) } == quarter }
            return here.isEmpty ? nil : Double(here.count(where: \.right)) / Double(here.count)
        }
        let losses = outcomes.flatMap(\.losses), divergences = outcomes.flatMap(\.divergences)
        if !losses.isEmpty {
            perplexity = exp(losses.reduce(0, +) / Double(losses.count))
            kl = divergences.reduce(0, +) / Double(divergences.count)
            top1 = Double(outcomes.reduce(0) { $0 + $1.agreements }) / Double(divergences.count)
        }
        func mean(_ durations: [Duration], _ count: Int) -> Double {
            durations.reduce(.zero, +) / .milliseconds(1) / Double(max(count, 1))
        }
        prefillMilliseconds = mean(asked.map(\.0.prefill), asked.count)
        compressMilliseconds = mean(asked.map(\.0.compress), asked.count)
        decodeMilliseconds = mean(asked.map(\.0.decode), asked.reduce(0) { $0 + $1.0.decoded })
    }
}

/// Numbers that come in groups: those of one context are no independent draws.
private struct Clusters {
    let mean: Double
    /// The variance of the mean.
    let variance: Double

    init(_ groups: [[Int]]) {
        let count = Double(max(groups.reduce(0) { $0 + $1.count }, 1))
        let mean = Double(groups.joined().reduce(0, +)) / count
        let squares = groups.reduce(0.0) { sum, group in
            let residual = Double(group.reduce(0, +)) - mean * Double(group.count)
            return sum + residual * residual
        }
        let g = Double(groups.count)
        self.mean = mean
        variance = g > 1 ? g / (g - 1) * squares / (count * count) : 0
    }
}
