import Foundation
import KVCompress
import KVFiles
import Testing

/// Every subcommand, run as a user runs it on the dumps that the repository carries.
struct CommandTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func compressReportsWhatInspectReadsBack() throws {
        let run = try place.succeed(
            "compress",
            example("tinystories-5m"),
            "--plan",
            "snapkv(budget=25%) | q4",
            "-o",
            "a.kvc",
            "--report",
            "r.json"
        )
        #expect(run.output.contains("snapkv(budget=25%) | q4"))
        #expect(try place.files == ["a.kvc", "r.json"])

        let text = try Data(contentsOf: place.url("r.json"))
        let report = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        for key in [
            "plan", "tokens", "stored_bytes", "f16_bytes", "ratio", "bits_per_value", "components",
            "kept",
            "peak_bytes", "seconds",
        ] {
            #expect(report[key] != nil, "\(key) is missing")
        }
        let components = try #require(report["components"] as? [String: Int])
        #expect(components.values.reduce(0, +) == report["stored_bytes"] as? Int)
        #expect(report["f16_bytes"] as? Int == 6 * 2 * 4 * 512 * 32 * 2)

        let inspected = try place.succeed("inspect", "a.kvc", "--json").json
        #expect(inspected["kind"] as? String == "kvc")
        let readBack = try #require(inspected["report"] as? [String: Any])
        #expect(readBack as NSDictionary == report as NSDictionary)
    }

    @Test func packedFilesAreSmallerAndHoldTheSame() throws {
        for (name, flags) in [("a.kvc", []), ("p.kvc", ["--pack"])] {
            let run = try place.kvc(
                ["compress", example("tinystories-5m"), "--plan", "f16", "-o", name] + flags
            )
            #expect(run.status == 0 && run.output.contains("\nfile "))
            try place.succeed("export", name, "-o", "\(name).safetensors")
        }
        let exports = try ["a.kvc", "p.kvc"].map {
            try Data(contentsOf: place.url("\($0).safetensors"))
        }
        #expect(exports[0] == exports[1])
        let plain = try place.succeed("inspect", "a.kvc", "--json").json
        let packed = try place.succeed("inspect", "p.kvc", "--json").json
        let bytes = try #require(packed["bytes"] as? Int)
        #expect(plain["unpacked_bytes"] == nil)
        #expect(try bytes < #require(plain["bytes"] as? Int) * 9 / 10)
        #expect(try #require(packed["unpacked_bytes"] as? Int) > bytes)
        #expect(try place.succeed("inspect", "p.kvc").output.contains("packed from"))
    }

    @Test func inspectDescribesDumps() throws {
        let text = try place.succeed("inspect", example("stories260k")).output
        for words in [
            "KV dump", "4 kv heads for 8 query heads, head dim 8, f16", "layers 0...4", "512",
        ] {
            #expect(text.contains(words))
        }
        let json = try place.succeed("inspect", example("stories260k"), "--json").json
        #expect(json["kind"] as? String == "kv-dump")
        #expect(json["tokens"] as? Int == 512)
    }

    @Test(
        arguments: ["tinystories-5m", "stories260k"],
        [
            "f16", "q4(rotate=hadamard)", "h2o(budget=25%) | kvcrush | q8",
            "kv(keys=q8, values=q4, window=64)",
        ]
    )
    func attentionIsThatOfTheExportedEntries(dump: String, plan: String) throws {
        try place.succeed("compress", example(dump), "--plan", plan, "-o", "a.kvc", "--quiet")
        try place.succeed("export", "a.kvc", "-o", "e.safetensors")
        try place.succeed("attend", "a.kvc", "--queries", example(dump), "-o", "o.safetensors")
        let queries = try QueryFile.read(URL(fileURLWithPath: example(dump)))
        let entries = try Safetensors(place.url("e.safetensors"))
        let outputs = try Safetensors(place.url("o.safetensors"))
        for (layer, heads) in queries.enumerated() {
            let output = try outputs.floats("layers.\(layer).output")
            #expect(output.shape == [heads.count, heads[0].count, heads[0].dim])
            let kvHeads = entries.tensors.keys.count { $0.hasPrefix("layers.\(layer).heads.") } / 4
            for (head, rows) in heads.enumerated() {
                let name = "layers.\(layer).heads.\(head / (heads.count / kvHeads))"
                let exact = attention(
                    of: rows.floats(),
                    dim: rows.dim,
                    keys: try entries.floats("\(name).key").values,
                    values: try entries.floats("\(name).value").values,
                    votes: try entries.floats("\(name).votes").values
                )
                let own = output.values[head * exact.count..<(head + 1) * exact.count]
                let error = zip(own, exact).map { pow(Double($0) - $1, 2) }.reduce(0, +)
                let size = exact.map { $0 * $0 }.reduce(0, +)
                #expect((error / size).squareRoot() < 1e-3, "layer \(layer), query head \(head)")
            }
        }
    }

    @Test func neitherThreadsNorLevelsChangeTheEntries() throws {
        let plan = "h2o(budget=25%) | kvcrush | q4(rotate=hadamard)"
        var exports: Set<Data> = []
        for (threads, level) in [("1", "scalar"), ("1", ""), ("3", "")] {
            try place.succeed(
                "compress",
                example("tinystories-5m"),
                "--plan",
                plan,
                "-o",
                "a.kvc",
                "--quiet",
                "--threads",
                threads,
                environment: level.isEmpty ? [:] : ["KVCOMPRESS_ISA": level]
            )
            try place.succeed("export", "a.kvc", "-o", "e.safetensors")
            exports.insert(try Data(contentsOf: place.url("e.safetensors")))
        }
        #expect(exports.count == 1)
    }

    @Test(arguments: ["tinystories-5m", "stories260k"])
    func compareKeepsTheOrderOfPlans(dump: String) throws {
        let plans = ["q4", "f16", "random(budget=25%)", "snapkv(budget=25%) | q8"]
        let run = try place.kvc(
            ["compare", example(dump), "--json", "c.json", "--plot", "c.svg"]
                + plans.flatMap { ["--plan", $0] }
        )
        try #require(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("512 tokens"))

        let text = try Data(contentsOf: place.url("c.json"))
        let json = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        let rows = try #require(json["plans"] as? [[String: Any]])
        #expect(rows.map { $0["plan"] as? String } == plans)
        for key in [
            "stored_bytes", "ratio", "bits_per_value", "kept", "error_mean", "error_worst",
            "cosine", "mass",
            "compress_ms", "attend_ns_per_query",
        ] {
            #expect(rows.allSatisfy { $0[key] != nil }, "\(key) is missing")
        }
        let errors = rows.compactMap { $0["error_mean"] as? Double }
        #expect(errors[1] < 1e-5 && errors[0] < errors[2])

        let picture = try String(contentsOf: place.url("c.svg"), encoding: .utf8)
        #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n"))
        #expect(picture.components(separatedBy: "<circle ").count == 1 + plans.count)
    }

    @Test func compareChoosesPlansForNewcomers() throws {
        let lines = try place.succeed("compare", example("tinystories-5m")).output.split(
            separator: "\n"
        )
        for word in [
            "f16", "random", "streaming", "h2o", "snapkv", "keydiff", "kvcrush", "q8", "q4",
        ] {
            #expect(lines.contains { $0.contains(word) })
        }
    }

    @Test(arguments: ["tinystories-5m", "stories260k"])
    func surveySaysWhatEachObservationFavours(dump: String) throws {
        let run = try place.succeed(
            "survey", example(dump), "--json", "s.json", "--plot", "s.svg"
        )
        let observations = [
            "Neighbours", "Layers", "Attention", "Sinks", "Ranks", "Channels", "Massive values",
        ]
        for observation in observations { #expect(run.output.contains("\n\(observation): ")) }

        let text = try Data(contentsOf: place.url("s.json"))
        let json = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
        let findings = try #require(json["findings"] as? [[String: String]])
        #expect(findings.compactMap { $0["observation"] } == observations)
        let survey = try #require(json["survey"] as? [String: Any])
        #expect((survey["layers"] as? [Any])?.count == (dump == "stories260k" ? 5 : 6))

        let picture = try String(contentsOf: place.url("s.svg"), encoding: .utf8)
        #expect(picture.hasPrefix("<svg ") && picture.hasSuffix("</svg>\n"))
        #expect(picture.contains("Attention by tokens"))
    }

    @Test func surveyDoesWithoutQueries() throws {
        try KVDump.write(smallCache(queries: nil), to: place.url("mute.safetensors"))
        let output = try place.succeed("survey", "mute.safetensors", "--plot", "s.svg").output
        #expect(output.contains("no queries") && !output.contains("\nAttention: "))
        #expect(output.contains("lack rope_theta"))
        let picture = try String(contentsOf: place.url("s.svg"), encoding: .utf8)
        #expect(!picture.contains("Attention by tokens") && !picture.contains("nan"))
    }

    @Test func quietSaysNothing() throws {
        let compress = try place.succeed(
            "compress",
            example("stories260k"),
            "--plan",
            "q8",
            "-o",
            "a.kvc",
            "--quiet"
        )
        let compare = try place.succeed("compare", example("stories260k"), "--plan", "q8", "-q")
        #expect(compress.output + compare.output == "")
    }

    @Test func listings() throws {
        let methods = try #require(
            try place.succeed("methods", "--json").json["methods"] as? [[String: Any]]
        )
        let names = methods.compactMap { $0["name"] as? String }
        #expect(Set(names).isSuperset(of: ["streaming", "h2o", "snapkv", "kvcrush", "q4", "kv"]))
        let text = try place.succeed("methods").output
        #expect(names.allSatisfy(text.contains))

        let kernels = try place.succeed("kernels", "--json").json
        #expect((kernels["supported"] as? [String])?.first == "scalar")
        #expect((kernels["kernels"] as? [Any])?.isEmpty == false)
        let scalar = try place.succeed("kernels", environment: ["KVCOMPRESS_ISA": "scalar"])
        #expect(scalar.output.contains("chosen: scalar"))
    }

    @Test(arguments: [
        [], ["compare"], ["survey"], ["compress"], ["inspect"], ["attend"], ["export"], ["methods"],
        ["kernels"],
    ])
    func helpIsHelp(command: [String]) throws {
        let run = try place.kvc(command + ["--help"])
        #expect(run.status == 0 && run.output.contains("OVERVIEW"))
    }
}

extension Safetensors {
    /// A tensor of f32 values.
    fileprivate func floats(_ name: String) throws -> (shape: [Int], values: [Float]) {
        let tensor = try #require(tensors[name], "\(name) is missing")
        let bytes = storage(of: tensor).bytes
        return (
            tensor.shape,
            (0..<bytes.count / 4).map {
                bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
            }
        )
    }
}

/// Attention of one query head in double precision: softmax(q k / sqrt(dim) + ln(votes)) v.
private func attention(
    of queries: [Float],
    dim: Int,
    keys: [Float],
    values: [Float],
    votes: [Float]
) -> [Double] {
    let valueDim = values.count / votes.count
    return stride(from: 0, to: queries.count, by: dim).flatMap { row in
        let logits = votes.indices.map { entry in
            (0..<dim).reduce(0.0) {
                $0 + Double(queries[row + $1]) * Double(keys[entry * dim + $1])
            }
                / Double(dim).squareRoot() + log(Double(votes[entry]))
        }
        let highest = logits.max() ?? 0
        let weights = logits.map { exp($0 - highest) }
        let sum = weights.reduce(0, +)
        return (0..<valueDim).map { channel in
            votes.indices.reduce(0.0) { $0 + weights[$1] * Double(values[$1 * valueDim + channel]) }
                / sum
        }
    }
}
