import Testing

@testable import KVCompress

@Suite struct PlanRefusalTests {
    @Test(arguments: [
        ("", "the plan is empty; expected stages, such as 'h2o(budget=25%) | q4'"),
        ("  ", "the plan is empty; expected stages, such as 'h2o(budget=25%) | q4'"),
        ("h2o(budget=25%", "plan, column 15: expected ',' or ')', found the end"),
        ("h2o(budget=25%) q4", "plan, column 17: expected '|' or the end, found 'q'"),
        ("h2o(budget=)", "plan, column 12: expected a name or a value, found ')'"),
        ("q4 |", "plan, column 5: expected a name or a value, found the end"),
        ("| q4", "plan, column 1: expected a name or a value, found '|'"),
        ("h20(budget=25%)", "unknown method 'h20'. Did you mean 'h2o'? Known are streaming, h2o, "),
        ("H2O(budget=25%)", "unknown method 'H2O'. Did you mean 'h2o'? "),
        ("xyzzyplugh", "unknown method 'xyzzyplugh'. Known are streaming, "),
        ("h2o", "h2o: 'budget' is missing; expected 25% of the tokens"),
        (
            "h2o(bugdet=25%)",
            "h2o: unknown parameter 'bugdet'. Did you mean 'budget'? It takes budget, rule, allocate, "
        ),
        ("f16(group=32)", "f16: unknown parameter 'group'. It takes no parameters"),
        ("h2o(25%)", "h2o: '25%' needs a name. Did you mean 'budget=25%'?"),
        ("q4(hadamard)", "q4: 'hadamard' needs a name. Did you mean 'rotate=hadamard'?"),
        ("h2o(budget=25%, budget=3)", "h2o: 'budget' is given twice"),
        (
            "h2o(budget=0%)",
            "h2o: budget=0% is not valid; expected 25% of the tokens (above 0%, at most 100%), 512 tokens per head, or 64MiB"
        ),
        ("h2o(budget=0)", "h2o: budget=0 is not valid; expected 25% of the tokens"),
        ("h2o(budget=101%)", "h2o: budget=101% is not valid; expected 25% of the tokens"),
        ("h2o(budget=0MiB)", "h2o: budget=0MiB is not valid; expected"),
        ("h2o(budget=-5)", "h2o: budget=-5 is not valid; expected"),
        (
            "h2o(budget=99999999999999999999)",
            "h2o: budget=99999999999999999999 is not valid; expected"
        ),
        ("h2o(budget=9999999999GiB)", "h2o: budget=9999999999GiB is not valid; expected"),
        ("h2o(budget=64MB)", "none of them 0. Did you mean '64MiB'?"),
        ("h2o(budget=0.25)", "none of them 0. Did you mean '25%'?"),
        (
            "h2o(budget=25%, sinks=50%)",
            "h2o: sinks=50% is not valid; expected a whole number from 0."
        ),
        (
            "h2o(budget=25%, select=page(16))",
            "h2o: select=page(16) is not valid; expected top | chunks(8) | pages(16). Did you mean 'pages'?"
        ),
        (
            "h2o(budget=25%, select=pages(0))",
            "h2o: select=pages(0): tokens=0 is not valid; expected 1...65536."
        ),
        (
            "h2o(budget=25%, select=top(3))",
            "h2o: select=top(3): '3' needs a name; takes no parameters"
        ),
        (
            "h2o(budget=25%, allocate=uniformly)",
            "expected uniform | pyramid | adaptive | dynamic(10) | greedy | entropy | rank. Did you mean 'uniform'?"
        ),
        ("q4(group=48)", "q4: group=48 is not valid; expected 32 | 64 | 128."),
        (
            "q4(keys=per_channel)",
            "q4: keys=per_channel is not valid; expected per-token | per-channel. Did you mean 'per-channel'?"
        ),
        (
            "kv(keys=q5)",
            "kv: keys=q5 is not valid; expected f32 | f16 | bf16 | q8(group=, axis=, rotate=, mode=)"
        ),
        ("kv(keys=q4(64))", "kv: keys=q4(64): '64' needs a name. Did you mean 'group=64'?"),
        (
            "kv(keys=f16(group=32))",
            "kv: keys=f16(group=32): unknown parameter 'group'. It takes no parameters"
        ),
        (
            "q4 | h2o(budget=25%)",
            "'h2o' (evict) cannot follow 'q4' (encode); the order is evict -> crush -> merge -> share -> project -> encode -> fit -> place: write 'h2o | q4'"
        ),
        (
            "h2o(budget=25%) | snapkv(budget=25%)",
            "'h2o' and 'snapkv' are both evict stages; a plan has at most one of each"
        ),
        ("q4 | q4", "'q4' and 'q4' are both encode stages"),
        (
            "kvcrush",
            "'kvcrush' wraps an eviction and none stands before it; expected one, such as 'h2o(budget=25%) | kvcrush'"
        ),
        ("kvcrush(share=25%) | q4", "'kvcrush' wraps an eviction and none stands before it"),
        (
            "h2o(budget=25%) | kvcrush(share=0.25)",
            "kvcrush: share=0.25 is not valid; expected a share such as 25% (0%...100%). Did you mean '25%'?"
        ),
        (
            "h2o(budget=25%, allocate=adaptive, tokens=layer)",
            "h2o: allocate=adaptive gives every head its own number of tokens, and tokens=layer one set to all"
        ),
        (
            "h2o(budget=25%, allocate=adaptive) | kvcrush",
            "kvcrush keeps one token set per layer, and allocate=adaptive gives every head its own"
        ),
        (
            "snapkv(budget=1, observe=0)",
            "snapkv: observe=0 is not valid; expected a whole number from 1."
        ),
        ("zipvl(budget=25%)", "zipvl: unknown parameter 'budget'."),
        (
            "fastgen(tokens=layer)",
            "fastgen: 'fastgen' gives every head its own number of tokens, and tokens=layer one set to all"
        ),
        (
            "fastgen | kvcrush",
            "kvcrush keeps one token set per layer, and 'fastgen' gives every head its own; expected another eviction"
        ),
        (
            "h2o(budget=9, allocate=rank) | kvcrush",
            "expected allocate=uniform or allocate=pyramid or allocate=dynamic or allocate=greedy or "
                + "allocate=entropy in 'h2o'"
        ),
        (
            "h2o(budget=9, allocate=dynamic(0))",
            "h2o: allocate=dynamic(0): most=0 is not valid"
        ),
        (
            "xkv(rank=1025)",
            "xkv: rank=1025 is not valid; expected at most 1024, or a share of the energy such as 90%"
        ),
        ("((((((((((((", "plan, column 1: expected a name or a value, found '('"),
        ("a(a(a(a(a(a(a(a(a(a(", "expected fewer parentheses inside each other"),
    ])
    func refused(text: String, message: String) {
        let error = #expect(throws: CompressionError.self) { try Plan(text) }
        #expect(error?.code == .plan)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test func mutatedTextsNeverCrash() {
        let text = Array(
            "snapkv(budget=25%, pool=max(7), select=pages(16)) | kvcrush(share=25%) | kv(keys=q8, values=q4(group=64))"
        )
        for seed in 0..<5000 {
            var random = Seeded(seed), mutated = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<mutated.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: mutated.remove(at: place)
                case 1: mutated[place] = "(),=|%q0é ".randomElement(using: &random)!
                default: mutated.insert("(),=|%9é ".randomElement(using: &random)!, at: place)
                }
            }
            if let plan = try? Plan(String(mutated)) {
                #expect((try? Plan(plan.description)) == plan, "seed \(seed)")
            }
        }
    }

    @Test func missingQueriesAreNamed() throws {
        let source = try SeededCache(seed: 1, queries: 0)
        for method in ["h2o", "snapkv", "tova"] {
            let eviction = try #require(Plan("\(method)(budget=25%)").eviction)
            let error = #expect(throws: CompressionError.self) {
                try eviction.select(from: source.observation()) { _ in 0 }
            }
            #expect(error?.code == .queries)
            #expect(
                error?.description
                    == "'\(method)' needs the queries of the cache, and layer 0 carries none; "
                    + "methods that need none: streaming, knorm, keydiff, lagkv, random"
            )
        }
        let fit = #expect(throws: CompressionError.self) {
            try source.observation().requireQueries(for: "fit")
        }
        #expect(
            fit?.description == "'fit' needs the queries of the cache, and layer 0 carries none")
        for method in ["streaming", "knorm", "keydiff", "lagkv", "random"] {
            let eviction = try #require(Plan("\(method)(budget=25%)").eviction)
            _ = try eviction.select(from: source.observation()) { _ in 0 }
        }
    }

    @Test func scoresThatAreNotFiniteAreNamed() throws {
        let source = try SeededCache(seed: 2, layers: 2, kvHeads: 2, group: 1, tokens: 20)
        var given = Given.random(seed: 1, layers: 2, heads: 2, tokens: 20, levels: 9)
        given.table[1][1][7] = .nan
        let eviction = try given.eviction("budget=5")
        let error = #expect(throws: CompressionError.self) {
            try eviction.select(from: source.observation()) { _ in 0 }
        }
        #expect(error?.code == .values)
        #expect(
            error?.description.hasPrefix("layer 1, head 1, token 7: the score of 'given' is nan")
                == true
        )
    }
}
