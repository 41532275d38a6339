import Foundation
import KVCompress
import Testing

@testable import kvc

/// `kvc bench` measures what it says, on caches so small that no time counts.
@Suite struct BenchTests {
    private static let shape = [
        "--cached", "--repeat", "1", "--heads", "4/2", "--dim", "32", "--threads", "2",
    ]

    private static let numbers = ["milliseconds", "tokens", "threads"]

    private func results(_ outcome: Outcome) throws -> [[String: Any]] {
        try #require(outcome.status == 0, "\(outcome.errors)")
        let json = try outcome.json
        #expect(try #require(json["cpu"] as? String).isEmpty == false)
        #expect(try #require(json["read_bandwidth_gb_per_s"] as? Double) > 0)
        return try #require(json["results"] as? [[String: Any]])
    }

    @Test(
        arguments: [
            (["attend", "--tokens", "256"], 5, true), (["encode", "--tokens", "256"], 12, true),
            (["prefill", "--tokens", "256"], 3, false),
            (["batch", "--tokens", "256", "--codec", "q4"], 2, true), (["step"], 8, false),
            (["attend", "--tokens", "1k", "--tokens", "200", "--codec", "q8"], 2, true),
            (
                [
                    "attend", "--tokens", "256", "--codec", "keydiff(budget=25%) | q4", "--codec",
                    "minicache | q4", "--codec", "kvmerger(budget=50%)",
                ], 3, true
            ),
            (["attend", "--tokens", "256", "--codec", "q4 | kcache(top=16)"], 1, true),
        ] as [([String], Int, Bool)])
    func aWorkHasPositiveNumbers(arguments: [String], count: Int, movesBytes: Bool) throws {
        let outcome = try Workplace().kvc(
            ["bench"] + arguments + Self.shape + ["--json", "-"])
        let rows = try results(outcome)
        #expect(rows.count == count)
        for row in rows {
            #expect(row["work"] as? String == arguments[0])
            #expect(row["isa"] as? String == InstructionSet.best.rawValue)
            #expect(try !#require(row["codec"] as? String).isEmpty)
            for key in Self.numbers + (movesBytes ? ["gb_per_s", "share_of_bandwidth"] : []) {
                #expect(try #require(row[key] as? Double, "\(key)") > 0, "\(key)")
            }
            #expect(try #require(row["spread"] as? Double) >= 0)
            // What is not measured in bytes says so.
            #expect(row.keys.contains("gb_per_s") && row.keys.contains("share_of_bandwidth"))
        }
    }

    @Test func selectionStandsBesideThePrefill() throws {
        let rows = try results(
            try Workplace().kvc(
                ["bench", "select", "--tokens", "512"] + Self.shape + ["--json", "-"]))
        let codecs = rows.compactMap { $0["codec"] as? String }
        #expect(
            codecs == [
                "f32", "hamming(bits=32)", "hamming(bits=32)", "h2o(budget=25%) | kvcrush",
                "kvmerger(budget=50%)", "minicache(from=0%)",
            ])
        #expect(try #require(rows[3]["percent"] as? Double) > 0)
    }

    @Test func placedValuesStandBesideAllValues() throws {
        let rows = try results(
            try Workplace().kvc(
                ["bench", "place", "--tokens", "512"] + Self.shape + ["--json", "-"]))
        // A second pair is there where the system forgets pages.
        #expect(rows.count == 2 || rows.count == 4)
        #expect(rows[0]["codec"] as? String == "f16 | kcache")
        #expect(try #require(rows[0]["speedup"] as? Double) > 0)
    }

    @Test func everyLevelIsMeasuredAndTheTableSaysSo() throws {
        let levels = InstructionSet.supported.map(\.rawValue)
        let place = try Workplace()
        let outcome = try place.succeed(
            "bench", "attend", "--tokens", "100", "--codec", "q4", "--cached", "--repeat", "1",
            "--heads", "2/1", "--dim", "16", "--isa", levels[0], "--isa", levels[levels.count - 1],
            "--json", "b.json")
        for level in [levels[0], levels[levels.count - 1]] {
            #expect(outcome.output.contains(" \(level) "), "\(level)")
        }
        #expect(outcome.output.contains("read bandwidth"))
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: place.url("b.json")))
        #expect(((json as? [String: Any])?["results"] as? [Any])?.count == 2)
    }

    @Test(
        arguments: [
            (["atend"], "attend"), (["attend", "--tokens", "0"], "tokens"),
            (["attend", "--tokens", "2m"], "tokens"), (["attend", "--tokens", "2000k"], "tokens"),
            (["attend", "--codec", "q5"], "q5"), (["attend", "--isa", "avx9"], "avx9"),
            (["attend", "--heads", "32/5"], "heads"), (["attend", "--dim", "0"], "dim"),
            (["attend", "--repeat", "0"], "repeat"),
            (["attend", "--codec", "tokenselect"], "bench"),
            (["select", "--codec", "q4"], "--codec"), (["step", "--tokens", "5"], "--tokens"),
            (["all", "--tokens", "5"], "--tokens"), (["place", "--codec", "q4"], "kcache"),
        ])
    func whatCannotBeMeantIsRefused(arguments: [String], word: String) throws {
        let outcome = try Workplace().kvc(["bench"] + arguments)
        #expect(outcome.status == 64 && outcome.errors.contains(word), "\(outcome.errors)")
    }

    /// A result that is off is refused before anything is timed.
    @Test func theCheckCanFail() throws {
        let source = MadeUp(tokens: 100, heads: HeadCounts(query: 4, kv: 2), dim: 16)
        let plan = try Plan("q8")
        let cache = try plan.compress(Cache(layers: [source.layer(0)]))
        let queries = source.queries(1)
        func check(_ outputs: [[Float]]) throws {
            try Naive.check(outputs, of: queries, cache, layer: 0, "here", workers: .caller)
        }
        var outputs = try cache.attend(queries, layer: 0)
        try check(outputs)
        outputs[3][5] += 0.01
        let error = #expect(throws: Failure.self) { try check(outputs) }
        #expect(error?.description.contains("here, query head 3") == true)
        outputs[3][5] = .nan
        #expect(throws: Failure.self) { try check(outputs) }
    }

    @Test func spreadIsHalfOfTheRangeBetweenTheQuartiles() {
        #expect([4.0, 1, 3, 2, 5].median == 3)
        #expect(abs([1.0, 2, 3, 4, 5].spread - 100.0 / 3) < 1e-12)
        #expect([7.0].spread == 0)
    }
}
