import Foundation
import Testing

/// `kvc evaluate` and `kvc ask` do what they say on the embedded model.
@Suite struct EvaluateTests {
    private func plans(_ outcome: Outcome, _ file: URL) throws -> [[String: Any]] {
        #expect(outcome.status == 0, "\(outcome.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        return try #require((object as? [String: Any])?["plans"] as? [[String: Any]])
    }

    @Test func theFullCacheKnowsAndARandomQuarterDoesNot() throws {
        let place = try Workplace()
        let outcome = try place.kvc(
            "evaluate", "--seeds", "1", "--contexts", "1", "--length", "512", "--json", "e.json",
            "--plot",
            "e.svg", "--plan", "random(budget=25%, tokens=layer)", "--plan",
            "keydiff(budget=45%, tokens=layer) | q4", "--tasks", "recall,repeated,perplexity")
        let plans = try plans(outcome, place.url("e.json"))
        func number(_ plan: Int, _ key: String) throws -> Double {
            try #require(plans[plan][key] as? Double)
        }
        #expect(plans.count == 3 && plans[0]["plan"] as? String == "f16")
        #expect(try number(0, "accuracy") > 0.9 && number(0, "ratio") == 1)
        #expect(try number(1, "accuracy") < 0.7)
        #expect(try number(2, "accuracy") > 0.9 && number(2, "ratio") > 7)
        #expect(try number(0, "kl") == 0 && number(0, "top1") == 1 && number(0, "loss") == 0)
        #expect(try number(1, "kl") > number(0, "kl"))
        #expect(try number(1, "perplexity") > number(0, "perplexity"))
        for plan in 0..<3 {
            let known = try number(plan, "accuracy_known")
            #expect((0...1).contains(known))
        }
        #expect(try place.files.contains("e.svg"))
        // The same again, with another number of threads.
        let again = try self.plans(
            place.kvc(
                "evaluate", "--seeds", "1", "--contexts", "1", "--length", "512", "--json",
                "f.json",
                "--plan", "random(budget=25%, tokens=layer)", "--plan",
                "keydiff(budget=45%, tokens=layer) | q4", "--tasks", "recall,repeated,perplexity",
                "--threads", "3"), place.url("f.json"))
        for (a, b) in zip(plans, again) {
            for key in ["accuracy", "ratio", "accuracy_known", "loss"] {
                #expect(a[key] as? Double == b[key] as? Double, "\(key)")
            }
        }
    }

    @Test func casesOfOnesOwn() throws {
        let place = try Workplace()
        let lines = """
            {"context": [1, 10, 280, 6, 500, 501, 11, 281, 6], "questions": [{"tokens": [3, 10], "answer": [280]}]}

            {"context": [1, 12, 290, 6], "questions": [{"tokens": [3, 12], "answer": [290]}], "task": "mine"}
            """
        try Data(lines.utf8).write(to: place.url("c.jsonl"))
        let outcome = try place.kvc(
            "evaluate", "--cases", "c.jsonl", "--plan", "q8", "--json", "e.json")
        let plans = try plans(outcome, place.url("e.json"))
        #expect((plans[0]["tasks"] as? [String: Double])?.keys.sorted() == ["cases", "mine"])
        #expect(plans[0]["accuracy"] as? Double == 1)
    }

    @Test(arguments: [
        ("{\"context\": [], \"questions\": []}", "line 1"), ("[1, 2]", "line 1"), ("", "no cases"),
        (
            "{\"context\": [1024], \"questions\": [{\"tokens\": [1], \"answer\": [2]}]}",
            "token 1024"
        ),
        ("{\"context\": [-1], \"questions\": [{\"tokens\": [1], \"answer\": [2]}]}", "token -1"),
        (
            "{\"context\": [1], \"questions\": [{\"tokens\": [1], \"answer\": []}]}",
            "without tokens"
        ),
        ("{\"context\": [1e99], \"questions\": []}", "line 1"),
    ])
    func badCasesAreNamed(text: String, words: String) throws {
        let place = try Workplace()
        try Data(text.utf8).write(to: place.url("c.jsonl"))
        let outcome = try place.kvc("evaluate", "--cases", "c.jsonl", "--plan", "q8")
        #expect(outcome.status == 1 && outcome.errors.contains(words), "\(outcome.errors)")
    }

    @Test(arguments: [
        ["--tasks", "guess"], ["--length", "3"], ["--seeds", "0"], ["--plan", "q5"],
        ["--questions", "0"], ["--length", "99999999"],
    ])
    func badWordsAreRefused(arguments: [String]) throws {
        let place = try Workplace()
        let outcome = try place.kvc(["evaluate"] + arguments)
        #expect(outcome.status == 64, "\(outcome.errors)")
    }

    @Test func askShowsBothAnswers() throws {
        let outcome = try Workplace().kvc("ask", "--length", "256", "--questions", "2")
        #expect(outcome.status == 0, "\(outcome.errors)")
        for word in ["recall", "lookup", "fewshot", "repeated", "full cache", "times smaller"] {
            #expect(outcome.output.contains(word), "\(word)")
        }
    }

    #if os(Linux)
        /// Anonymous memory of a process, in bytes.
        private func residentBytes(_ process: Int32) -> Int? {
            guard
                let status = try? String(
                    contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
                let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon") }),
                let number = line.split(whereSeparator: { !$0.isNumber }).first
            else { return nil }
            return Int(number).map { $0 << 10 }
        }

        @Test func memoryStaysBoundedThroughHundredThousandTokens() throws {
            let place = try Workplace()
            let ids = [1] + (0..<100_000).map { 3 + $0 * 7919 % 509 }
            try JSONSerialization.data(withJSONObject: ["tokens": ids]).write(
                to: place.url("t.json"))
            let model = packageFolder.appendingPathComponent("Examples/data/stories260k.gguf").path
            var early = 0, late = 0, looks = 0
            let outcome = try place.kvc(
                [
                    "score", "--model", model, "--tokens", "t.json", "--plan",
                    "streaming(budget=128) | q8",
                ]
            ) { process in
                guard let bytes = residentBytes(process) else { return }
                looks += 1
                if looks <= 20 { early = max(early, bytes) } else { late = max(late, bytes) }
            }
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(looks > 40)
            // Two numbers for every token are kept for the end; a full cache would be 62 MiB.
            #expect(late < early + 8 << 20, "\(early), then \(late)")
        }
    #endif
}
