import Foundation
import KVCompress
import KVFiles
import Testing

/// Whatever is wrong: one line that says what and where, the right exit status, and no file left.
struct BadInputTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    private func compress(_ input: String, plan: String = "q8", to output: String = "o.kvc")
        -> [String]
    {
        ["compress", input, "--plan", plan, "-o", output]
    }

    @Test(
        arguments: [
            ("hto(budget=25%)", "h2o"), ("h2o(budgte=25%)", "budget"), ("h2o(budget=0%)", "0%"),
            ("h2o(budget=101%)", "101%"), ("h2o(budget=0)", "0"), ("h2o(budget=25)) | q4", ")"),
            ("q4 | h2o(budget=25%)", "order"), ("q4 | q8", "encode"), ("kvcrush", "kvcrush"),
            ("", "plan"),
            ("h2o", "budget"), ("q4(group=33)", "33"),
        ])
    func plansThatCannotBeMeant(plan: String, word: String) throws {
        try place.refuse(compress(example("stories260k"), plan: plan), status: 64, saying: [word])
        try place.refuse(
            ["compare", example("stories260k"), "--plan", plan, "--json", "c.json"],
            status: 64,
            saying: [word]
        )
    }

    @Test(
        arguments: [
            [], ["--holdout", "0"], ["--threads", "0"], ["--holdout", "many"], ["--frobnicate"],
        ])
    func usage(options: [String]) throws {
        let command =
            options.isEmpty ? ["compress", "a"] : ["compare", example("stories260k")] + options
        let run = try place.kvc(command)
        #expect(run.status == 64 && run.errors.hasPrefix("Error: "))
        #expect(try place.files.isEmpty)
    }

    @Test func filesThatAreNotThere() throws {
        try place.refuse(compress("missing.safetensors"), saying: ["missing.safetensors"])
        try place.refuse(compress("."), saying: ["regular file"])
        try place.refuse(["inspect", "missing.kvc"], saying: ["missing.kvc"])
        try place.refuse(["export", "missing.kvc", "-o", "e.safetensors"], saying: ["missing.kvc"])
    }

    /// Values that are to live in a file where there is none, or no room for it.
    @Test func noRoomForValues() throws {
        let folder = ["TMPDIR": place.folder.path]
        let command = compress(example("stories260k"), plan: "f16 | kcache")
        let full = try place.kvc(command, environment: folder, fileBlocks: 16)
        #expect(full.status == 1 && full.errors.split(separator: "\n").count == 1)
        #expect(full.errors.contains("no room for 32768 bytes of values"), "\(full.errors)")
        let nowhere = try place.kvc(command, environment: ["TMPDIR": "/no/such/folder"])
        #expect(nowhere.status == 1 && nowhere.errors.contains("/no/such/folder"))
        #expect(try place.files.isEmpty)
    }

    @Test func outputsThatCannotBeWritten() throws {
        try FileManager.default.createDirectory(
            at: place.url("folder"),
            withIntermediateDirectories: true
        )
        for output in ["nowhere/o.kvc", "folder", "/dev/null/o.kvc"] {
            try place.refuse(compress(example("stories260k"), to: output), saying: [output])
        }
        for option in ["--json", "--plot"] {
            let run = try place.kvc(
                "compare",
                example("stories260k"),
                "--plan",
                "q8",
                "-q",
                option,
                "nowhere/a"
            )
            #expect(run.status == 1 && run.errors.contains("nowhere/a"))
        }
        #expect(try place.files == ["folder"])
    }

    @Test func outputsInThePlaceOfOtherFiles() throws {
        let dump = try Data(contentsOf: URL(fileURLWithPath: example("stories260k")))
        try dump.write(to: place.url("in"))
        try FileManager.default.createSymbolicLink(
            at: place.url("link"),
            withDestinationURL: place.url("in")
        )
        try place.succeed("compress", "in", "--plan", "q8", "-o", "c.kvc", "-q")
        let compressed = try Data(contentsOf: place.url("c.kvc"))
        for arguments in [
            compress("in", to: "in"), compress("in", to: "./in"), compress("in", to: "link"),
            compress("in") + ["--report", "in"], compress("in") + ["--report", "o.kvc"],
            ["compare", "in", "--plan", "q8", "--json", "in"],
            ["compare", "in", "--plan", "q8", "--json", "a", "--plot", "a"],
            ["export", "c.kvc", "-o", "c.kvc"],
            ["attend", "c.kvc", "--queries", "in", "-o", "c.kvc"],
            ["attend", "c.kvc", "--queries", "in", "-o", "in"],
        ] {
            try place.refuse(arguments, status: 64, saying: ["name of its own"])
        }
        #expect(try Data(contentsOf: place.url("in")) == dump)
        #expect(try Data(contentsOf: place.url("c.kvc")) == compressed)
    }

    @Test func brokenDumps() throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: example("stories260k")))
        let header =
            #"{"layers.0.key":{"dtype":"F16","shape":[1,2,8],"data_offsets":[0,32]},"#
            + #""layers.0.value":{"dtype":"F16","shape":[1,2,8],"data_offsets":[16,48]}}"#
        func file(_ json: String, bytes: Int) -> Data {
            withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { Data($0) } + Data(json.utf8)
                + Data(count: bytes)
        }
        let broken: [(String, Data)] = [
            ("empty", Data()), ("short", whole.prefix(5)), ("header-cut", whole.prefix(200)),
            ("data-cut", whole.dropLast()), ("longer", whole + Data(count: 8)),
            ("absurd", Data(repeating: 0xFF, count: 64)), ("overlap", file(header, bytes: 48)),
            ("no-tensors", file("{}", bytes: 0)), ("not-json", file("[[[[[[", bytes: 0)),
        ]
        for (name, data) in broken {
            try data.write(to: place.url(name))
            try place.refuse(compress(name), saying: [name])
            try place.refuse(["inspect", name], saying: [name])
            try place.refuse(["compare", name, "--plot", "p.svg"], saying: [name])
        }
    }

    @Test func layersThatDoNotFit() throws {
        func zeros(_ name: String, _ shape: [Int]) -> Safetensors.NewTensor {
            Safetensors.NewTensor(
                name: name,
                shape: shape,
                [Float](repeating: 0, count: shape.reduce(1, *))
            )
        }
        try Safetensors.write(
            [
                zeros("layers.0.key", [2, 9, 8]), zeros("layers.0.value", [2, 9, 8]),
                zeros("layers.1.key", [2, 7, 8]), zeros("layers.1.value", [2, 7, 8]),
            ],
            to: place.url("tokens")
        )
        try place.refuse(compress("tokens"), saying: ["layer 1", "7", "9"])
        try Safetensors.write(
            [zeros("layers.0.key", [2, 9, 8]), zeros("layers.0.value", [3, 9, 8])],
            to: place.url("heads")
        )
        try place.refuse(compress("heads"), saying: ["layer 0"])
        try Safetensors.write([zeros("layers.0.key", [2, 9, 8])], to: place.url("value"))
        try place.refuse(compress("value"), saying: ["layers.0.value"])
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e6])
    func valuesThatCannotBeStored(value: Float) throws {
        // Row 13 of kv head 1's keys.
        try KVDump.write(
            smallCache(spoil: (layer: 1, index: 13 * 8 + 3, value: value)),
            to: place.url("bad")
        )
        try place.refuse(compress("bad"), saying: ["bad: layer 1", "key head 1", "token 13"])
        if !value.isFinite {
            try place.refuse(["inspect", "bad"], saying: ["bad: layer 1", "key head 1"])
        }
    }

    /// What a file says of its model reaches neither the terminal nor a picture as a command.
    @Test func controlCharactersInMetadata() throws {
        var cache = try smallCache()
        cache.metadata["model"] = "a\u{1B}]0;b\u{202E}<c>"
        try KVDump.write(cache, to: place.url("odd"))
        let plot = ["--plan", "q8", "--holdout", "8", "--plot", "c.svg"]
        for command in [["inspect", "odd"], ["compare", "odd"] + plot] {
            let output = try place.kvc(command).output
            #expect(output.contains("a\u{FFFD}]0;b\u{FFFD}<c>"), "\(command): \(output)")
        }
        let picture = try String(contentsOf: place.url("c.svg"), encoding: .utf8)
        #expect(picture.contains("a\u{FFFD}]0;b\u{FFFD}&lt;c>"))
    }

    @Test func missingQueriesAreNamed() throws {
        try KVDump.write(smallCache(queries: nil), to: place.url("none"))
        for plan in ["h2o(budget=50%)", "snapkv(budget=50%) | kvcrush", "tova(budget=8)"] {
            try place.refuse(
                compress("none", plan: plan),
                saying: ["queries", String(plan.prefix(3))]
            )
        }
        try place.refuse(["compare", "none", "--holdout", "8"], saying: ["none", "queries"])
        try place.succeed("compress", "none", "--plan", "keydiff(budget=50%) | q4", "-o", "o.kvc")
    }

    @Test func holdoutOfEverything() throws {
        try place.refuse(["compare", example("stories260k"), "--holdout", "512"], saying: ["512"])
        for holdout in ["256", "\(Int.max)"] {
            try place.refuse(
                ["tune", example("stories260k"), "--holdout", holdout], saying: [holdout])
        }
    }

    @Test func queriesThatDoNotFit() throws {
        try place.succeed("compress", example("tinystories-5m"), "--plan", "q8", "-o", "a.kvc")
        try place.refuse(
            ["attend", "a.kvc", "--queries", example("stories260k"), "-o", "o"],
            saying: ["stories260k", "layers"]
        )
        try KVDump.write(smallCache(layers: 6), to: place.url("dim"))
        try place.refuse(
            ["attend", "a.kvc", "--queries", "dim", "-o", "o"],
            saying: ["dim", "layer 0"]
        )

        try KVDump.write(smallCache(), to: place.url("small"))
        try place.succeed("compress", "small", "--plan", "q8", "-o", "small.kvc")
        let nan = [Float](repeating: .nan, count: 4 * 3 * 8)
        try Safetensors.write(
            (0..<2).map {
                Safetensors.NewTensor(name: "layers.\($0).query", shape: [4, 3, 8], nan)
            },
            to: place.url("nan")
        )
        try place.refuse(
            ["attend", "small.kvc", "--queries", "nan", "-o", "o"],
            saying: ["layer 0", "query head 0"]
        )
    }

    @Test func damagedContainers() throws {
        try KVDump.write(smallCache(), to: place.url("dump"))
        try place.succeed("compress", "dump", "--plan", "snapkv(budget=50%) | q4", "-o", "a.kvc")
        let whole = try Data(contentsOf: place.url("a.kvc"))
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix(state: seed)
        for turn in 0..<60 {
            var bytes = whole
            if turn % 4 == 0 {
                bytes = whole.prefix(Int.random(in: 0..<whole.count, using: &random))
            } else {
                bytes[Int.random(in: 0..<whole.count, using: &random)] ^=
                    1 << UInt8.random(in: 0..<8, using: &random)
            }
            try bytes.write(to: place.url("b.kvc"))
            let command = [
                ["inspect", "b.kvc"], ["export", "b.kvc", "-o", "o"],
                ["attend", "b.kvc", "--queries", "dump", "-o", "o"],
            ][turn % 3]
            try #require(
                try place.kvc(command).status == 1,
                "seed \(seed), turn \(turn): \(command)"
            )
            try place.refuse(command, saying: ["b.kvc"])
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
