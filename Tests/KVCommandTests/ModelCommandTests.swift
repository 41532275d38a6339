import Foundation
import Testing

/// `kvc score` and `kvc generate` on the model that the repository carries.
struct ModelCommandTests {
    let place: Workplace
    private let model = packageFolder.appendingPathComponent("Examples/data/stories260k.gguf").path
    private let golden = packageFolder.appendingPathComponent(
        "Examples/data/stories260k.golden.json")

    init() throws { place = try Workplace() }

    /// The largest difference between what a run found and what two other runtimes say.
    private func distance(_ json: [String: Any]) throws -> Double {
        let oracle = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: golden)) as? [String: Any])
        let expected = try #require(oracle["nll"] as? [Double])
        let found = try #require(json["nll"] as? [Double])
        try #require(found.count == expected.count)
        return zip(found, expected).map { abs($0 - $1) }.max() ?? 0
    }

    private func score(_ plan: String, _ more: String...) throws -> [String: Any] {
        let run = try place.kvc(
            [
                "score", "--model", model, "--tokens", golden.path, "--plan", plan, "--json",
                "s.json",
            ]
                + more)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let text = try Data(contentsOf: place.url("s.json"))
        return try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
    }

    @Test(arguments: ["0", "200", "511"]) func scoreAgreesWithTheOracle(prefill: String) throws {
        let json = try score("f32", "--prefill", prefill)
        #expect(try distance(json) < 1e-3)
        #expect(json["plan"] as? String == "f32" && json["tokens"] as? Int == 512)
        #expect(json["stored_bytes"] as? Int == 511 * 5 * 2 * 4 * 8 * 4)
        #expect(json["ratio"] as? Double == 0.5 && json["bits_per_value"] as? Double == 32)
        #expect(json["perplexity"] != nil && json["resident_bytes"] != nil)
    }

    @Test func scoreShowsWhatAPlanCosts() throws {
        let json = try score("streaming(budget=64) | q4")
        let ratio = try #require(json["ratio"] as? Double)
        #expect(try distance(json) > 0.1 && ratio > 2)
    }

    @Test func scoreRefusesWhatItCannotRead() throws {
        try Data(#"{"tokens": [1, 2, 512]}"#.utf8).write(to: place.url("far.json"))
        try Data(#"{"tokens": [1, 2]}"#.utf8).write(to: place.url("few.json"))
        func arguments(_ tokens: String, _ more: String...) -> [String] {
            ["score", "--model", model, "--tokens", tokens, "--plan", "f32"] + more
        }
        try place.refuse(arguments("far.json"), saying: ["far.json", "token 2 is 512", "0..<512"])
        try place.refuse(arguments("none.json"), saying: ["none.json", "cannot be opened"])
        try place.refuse(
            arguments("few.json", "--prefill", "2"), saying: ["2 tokens", "at least 3"])
        try place.refuse(
            arguments("few.json", "--json", "few.json"), status: 64, saying: ["few.json"])
        try place.refuse(
            ["score", "--model", golden.path, "--tokens", "few.json", "--plan", "f32"],
            saying: ["golden.json", "no GGUF file"])
        try place.refuse(
            ["score", "--model", model, "--tokens", "few.json", "--plan", "q5"], status: 64,
            saying: ["unknown method 'q5'"])
    }

    @Test func generateWritesOn() throws {
        func generate(_ more: String...) throws -> String {
            let run = try place.kvc(
                ["generate", "--model", model, "--plan", "q8", "-n", "40"] + more)
            #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
            return run.output
        }
        let greedy = try generate("--prompt", "Once upon a time")
        #expect(greedy.hasPrefix(", there was a little girl named Lily."))
        let last = try #require(greedy.split(separator: "\n").last)
        #expect(last.hasPrefix("40 tokens, ") && last.contains("tokens/s; cache now"))

        try Data("Once upon a time".utf8).write(to: place.url("prompt.txt"))
        let quiet = try generate("--prompt-file", "prompt.txt", "--quiet")
        #expect(greedy.hasPrefix(quiet) && !quiet.contains("tokens/s"))

        func chance(_ seed: String) throws -> String {
            try generate("--prompt", "Tom", "--temperature", "1", "--seed", seed, "--quiet")
        }
        #expect(try chance("1") == chance("1") && chance("1") != chance("2"))
    }

    @Test func generateRefusesWhatItCannotDo() throws {
        let start = ["generate", "--model", model, "--plan", "q8"]
        try Data([0xFF]).write(to: place.url("bytes"))
        try place.refuse(start + ["--prompt-file", "bytes"], saying: ["bytes", "UTF-8"])
        for more in [
            [], ["--prompt", "a", "--prompt-file", "bytes"], ["--prompt", "a", "-n", "0"],
            ["--prompt", "a", "--temperature", "-1"],
        ] {
            #expect(try place.kvc(start + more).status == 64)
        }
    }
}
