import Foundation
import Testing

@testable import KVCompress

@Suite struct PlanTextTests {
    @Test(arguments: [
        ("h2o(budget=25%)", "h2o(budget=25%)"),
        (" h2o( budget = 25.50% , rule=mean )|q4() ", "h2o(budget=25.5%) | q4"),
        (
            "h2o(budget=25%, allocate=pyramid) | kvcrush(share=25%, anchor=mean) | q4(rotate=hadamard)",
            "h2o(budget=25%, allocate=pyramid) | kvcrush | q4(rotate=hadamard)"
        ),
        (
            "snapkv(budget=512, observe=32, select=pages(16)) | kv(keys=q8, values=q4(group=64), window=128, protect=2)",
            "snapkv(budget=512, select=pages(16)) | kv(keys=q8, values=q4(group=64), window=128, protect=2)"
        ),
        ("snapkv(budget=1, pool=max(7), observe=8)", "snapkv(budget=1, observe=8)"),
        ("snapkv(budget=1, pool=mean)", "snapkv(budget=1, pool=mean(5))"),
        ("snapkv(budget=1, pool=mean(width=3))", "snapkv(budget=1, pool=mean(3))"),
        ("random(budget=1024MiB, seed=0)", "random(budget=1GiB)"),
        (
            "streaming(budget=100%, recent=50%, sinks=0)",
            "streaming(budget=100%, sinks=0, recent=50%)"
        ),
        (
            "tova(budget=3) | kvcrush(anchor=random, representatives=random(3), bits=kv)",
            "tova(budget=3) | kvcrush(anchor=random(0), bits=kv, representatives=random(3))"
        ),
        ("f16", "f16"), ("bf16", "bf16"), ("f32", "f32"), ("q8", "q8"), ("kv", "f16"),
        ("kv(keys=q4, values=q4)", "q4"),
        ("turboquant(bits=4, seed=0, window=3)", "turboquant(window=3)"),
        ("zipcache(salient=60%, others=3, window=9, bits=4)", "zipcache(others=3, window=9)"),
        ("turboquant(rotate=qr)", "turboquant(rotate=qr)"),
        ("kv(keys=turboquant(bits=3), values=turboquant(bits=3))", "turboquant(bits=3)"),
        (
            "kv(values=q4, keys=turboquant(seed=2, bits=2))",
            "kv(keys=turboquant(bits=2, seed=2), values=q4)"
        ),
        (
            "kv(keys=q4(axis=per-channel, rotate=hadamard), values=q4)",
            "q4(keys=per-channel, rotate=keys)"
        ),
        (
            "q4(keys=per-channel, values=per-token, mode=asymmetric, group=128)",
            "q4(group=128, keys=per-channel, mode=asymmetric)"
        ),
        (
            "kv(keys=bf16, values=q8(mode=asymmetric), window=3)",
            "kv(keys=bf16, values=q8(mode=asymmetric), window=3)"
        ),
    ])
    func canonical(text: String, expected: String) throws {
        let plan = try Plan(text)
        #expect(plan.description == expected)
        #expect(try Plan(plan.description) == plan)
    }

    @Test func printedPlansParseBack() throws {
        for seed in 0..<2000 {
            var random = Seeded(seed)
            let text = randomPlan(&random)
            let plan = try Plan(text)
            #expect(try Plan(plan.description) == plan, "seed \(seed): \(text)")
            #expect(
                try Plan(plan.description).description == plan.description,
                "seed \(seed): \(text)"
            )
            let json = try JSONEncoder().encode([plan])
            #expect(
                try JSONDecoder().decode([Plan].self, from: json) == [plan],
                "seed \(seed): \(text)"
            )
        }
    }

    @Test func typedConfiguration() throws {
        let plan = try Plan(
            "h2o(budget=12.5%, recent=8) | kvcrush(share=0.0001%) | q8(rotate=values, protect=1)"
        )
        let eviction = try #require(plan.eviction)
        #expect(eviction.budget == .share(Share(millionths: 125_000)))
        #expect(eviction.recent == .tokens(8) && eviction.sinks == 4 && eviction.method == "h2o")
        #expect(eviction.crush?.share.millionths == 1)
        let encode = try #require(plan.encode)
        #expect(encode.values.rotated && !encode.keys.rotated && encode.protect == 1)
        #expect(try Plan("q8").eviction == nil && Plan("h2o(budget=1)").encode == nil)
    }

    @Test func sharesAreExact() {
        #expect(Share("25%")?.of(10) == 3)
        #expect(Share("25%")?.of(9) == 2)
        #expect(Share("12.5%")?.of(4) == 1)
        #expect(Share("33.3333%")?.of(3) == 1)
        #expect(Share("100%")?.of(7) == 7)
        #expect(Share("0.07%")?.description == "0.07%")
        for text in ["100.0001%", "101%", "-1%", "1.00001%", "%", ".5%", "1.%", "1e1%", "+5%"] {
            #expect(Share(text) == nil)
        }
        for millionths in 0...1_000_000 where millionths % 997 == 0 {
            #expect(
                Share(Share(millionths: millionths).description) == Share(millionths: millionths)
            )
        }
    }

    @Test func everyMethodIsDescribed() throws {
        #expect(Set(Plan.methods.map(\.name)).count == Plan.methods.count)
        for method in Plan.methods {
            #expect(!method.summary.isEmpty && !method.source.isEmpty)
            // Low rank wants to be told which side: it has no defaults alone.
            guard method.name != "lowrank" else { continue }
            let parameters = method.parameters.compactMap { parameter -> String? in
                parameter.name == "budget"
                    ? "budget=25%" : parameter.defaultText.map { "\(parameter.name)=\($0)" }
            }
            let text = "\(method.name)(\(parameters.joined(separator: ", ")))"
            // A method with its defaults spelled out is the method.
            let takesBudget = method.parameters.contains { $0.name == "budget" }
            let short = takesBudget ? "\(method.name)(budget=25%)" : method.name
            let before = [.crush, .merge].contains(method.stage) ? "h2o(budget=1) | " : ""
            #expect(try Plan(before + text) == Plan(before + short))
        }
        let json =
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(Plan.methods))
            as? [[String: Any]]
        #expect(json?.count == Plan.methods.count)
        #expect(json?.first?["name"] as? String == "streaming")
    }

    private func randomPlan(_ random: inout Seeded) -> String {
        func pick(_ options: [String]) -> String { options.randomElement(using: &random)! }
        func some(_ options: [String]) -> [String] {
            options.filter { _ in Bool.random(using: &random) }.shuffled(using: &random)
        }
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func call(_ name: String, _ arguments: [String]) -> String {
            "\(name)(\(arguments.joined(separator: ",")))"
        }
        func codec() -> String {
            pick([
                "f16", "f32", "bf16",
                call(
                    pick(["q8", "q4", "q3", "q2"]),
                    some([
                        "group=" + pick(["32", "64", "128"]),
                        "axis=" + pick(["per-token", "per-channel"]),
                        "rotate=" + pick(["none", "hadamard"]),
                        "mode=" + pick(["symmetric", "asymmetric"]),
                    ])
                ),
            ])
        }
        var stages: [String] = []
        let adaptive = Bool.random(using: &random)
        if Bool.random(using: &random) {
            let own = pick([
                "h2o", "h2o:rule=sum", "snapkv", "snapkv:pool=\(pick(["none", "mean", "max(3)"]))",
                "tova", "knorm",
                "keydiff", "streaming", "lagkv:lag=\(number(1...999))", "rkv:similar=12.5%",
                "scissorhands:history=9", "keyformer:temperature=3",
                "expected-attention:epsilon=2%",
                "random:seed=\(number(0...9))",
            ]).split(separator: ":").map(String.init)
            var common = [
                "sinks=\(number(0...9))", "recent=\(pick(["3", "0", "50%", "12.25%"]))",
                "select=\(pick(["top", "chunks", "chunks(5)", "pages(16)", "pages(32)"]))",
            ]
            common.append(
                adaptive
                    ? "allocate=\(pick(["adaptive", "rank"]))"
                    : pick([
                        "tokens=head", "tokens=layer", "allocate=dynamic", "allocate=dynamic(3)",
                        "allocate=greedy", "allocate=entropy",
                    ])
            )
            let budget =
                "budget="
                + pick(["25%", "0.5%", "100%", "512", "1", "64MiB", "3KiB", "1000B", "2GiB"])
            stages.append(
                call(own[0], ([budget] + own.dropFirst() + some(common)).shuffled(using: &random))
            )
            if !stages[0].contains("adaptive"), !stages[0].contains("rank"),
                Bool.random(using: &random)
            {
                stages.append(
                    call(
                        "kvcrush",
                        some([
                            "share=\(number(0...100))%", "bits=" + pick(["query", "kv"]),
                            "anchor="
                                + pick(["mean", "zeros", "ones", "alternating", "random(3)"]),
                            "representatives=" + pick(["hamming", "even", "random(1)", "kmeans"]),
                        ])
                    )
                )
            }
        }
        if stages.isEmpty || Bool.random(using: &random) {
            let kept = ["window=\(number(0...64))", "protect=\(number(0...3))"]
            stages.append(
                pick([
                    "f16", "f32", "bf16",
                    call("kv", some(["keys=" + codec(), "values=" + codec()] + kept)),
                    call(
                        pick(["q8", "q4", "q3", "q2"]),
                        some(
                            [
                                "group=" + pick(["32", "64", "128"]),
                                "keys=" + pick(["per-token", "per-channel"]),
                                "values=" + pick(["per-token", "per-channel"]),
                                "rotate=" + pick(["none", "hadamard", "keys", "values"]),
                                "mode=" + pick(["symmetric", "asymmetric"]),
                            ] + kept
                        )
                    ),
                ])
            )
        }
        return stages.joined(separator: "|")
    }
}
