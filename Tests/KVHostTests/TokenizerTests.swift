import Foundation
import KVFiles
import KVHost
import KVModelFiles
import Testing

@Suite struct TokenizerTests {
    @Test func givesTheOraclesTokens() throws {
        let text = try String(
            contentsOf: dataFolder.appending(path: "stories260k.text.txt"), encoding: .utf8)
        let tokenizer = try Tokenizer(model: Oracle.url)
        let tokens = tokenizer.encode(text)
        #expect(try Array(tokens.prefix(512)) == Oracle.read().tokens)
        #expect(tokenizer.decode(tokens) == text)
    }

    /// A vocabulary in which every rule shows.
    private func sample(addSpace: Bool? = nil) -> GGUFBuilder {
        let pieces: [(text: String, score: Float, kind: Int)] =
            [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<q>", 0, 4), ("<q>▁x", 0, 4)]
            + (0..<256).map {
                let digits = String($0, radix: 16, uppercase: true)
                return ("<0x\($0 < 16 ? "0" : "")\(digits)>", 0, 6)
            }
            + [
                ("▁", -1, 1), ("a", -2, 1), ("b", -3, 1), ("ab", -5, 1), ("ba", -4, 1),
                ("aba", -7, 1), ("▁a", -6, 1), ("aa", -8, 1),
            ]
        var file = GGUFBuilder()
        file.add("tokenizer.ggml.model", string: "llama")
        file.add("tokenizer.ggml.tokens", strings: pieces.map(\.text))
        file.add("tokenizer.ggml.scores", floats: pieces.map(\.score))
        let kinds = pieces.flatMap { GGUFBuilder.little(Int32($0.kind)) }
        file.metadata.append(
            (
                "tokenizer.ggml.token_type",
                GGUFBuilder.little(UInt32(9)) + GGUFBuilder.little(UInt32(5))
                    + GGUFBuilder.little(UInt64(pieces.count)) + kinds
            ))
        file.add("tokenizer.ggml.bos_token_id", u32: 1)
        file.add("tokenizer.ggml.eos_token_id", u32: 2)
        if let addSpace {
            file.metadata.append(
                ("tokenizer.ggml.add_space_prefix", [7, 0, 0, 0, addSpace ? 1 : 0]))
        }
        return file
    }

    private func tokenizer(_ file: GGUFBuilder, _ scratch: Scratch) throws -> Tokenizer {
        let url = scratch["\(UUID().uuidString).gguf"]
        try Data(file.bytes).write(to: url)
        return try Tokenizer(GGUF(url))
    }

    @Test func mergesByScoreFromTheLeft() throws {
        let scratch = try Scratch()
        let tokenizer = try tokenizer(sample(addSpace: false), scratch)
        let space = 261, a = 262, ab = 264, ba = 265, aba = 266, aa = 268
        #expect(tokenizer.count == 269 && tokenizer.beginning == 1 && tokenizer.end == 2)
        #expect(tokenizer.encode("") == [1])
        // 'ba' beats 'ab', and then 'a' and 'ba' are 'aba'.
        #expect(tokenizer.encode("aba") == [1, aba])
        #expect(tokenizer.encode("ab") == [1, ab])
        #expect(tokenizer.encode("baba") == [1, ba, ba])
        // Of three equal neighbours the first two become one.
        #expect(tokenizer.encode("aaa") == [1, aa, a])
        #expect(tokenizer.encode("b a") == [1, 263, 267])
        #expect(tokenizer.encode("b  ") == [1, 263, space, space])
        // What no piece holds is written as bytes.
        #expect(tokenizer.encode("é") == [1, 5 + 0xC3, 5 + 0xA9])
        #expect(tokenizer.decode(tokenizer.encode("é b<q> x<q>\n🙂")) == "é b<q> x<q>\n🙂")
    }

    @Test func findsMarksFirst() throws {
        let scratch = try Scratch()
        let plain = try tokenizer(sample(addSpace: false), scratch)
        #expect(plain.encode("a<q>a</s>") == [1, 262, 3, 262, 2])
        // The longest of those that begin here.
        #expect(plain.encode("<q> xa") == [1, 4, 262])
        #expect(plain.decode([1, 262, 3, 4, 2]) == "a<q><q> x")
        // Pieces of other kinds are not found by their names.
        #expect(plain.encode("<unk>").count == 1 + 5 && plain.encode("<0x41>").count == 1 + 6)
    }

    @Test func putsASpaceInFront() throws {
        let scratch = try Scratch()
        let tokenizer = try tokenizer(sample(), scratch)
        #expect(tokenizer.encode("a") == [1, 267])
        // Behind a mark, too, as llama.cpp does it.
        #expect(tokenizer.encode("<q>a") == [1, 3, 267])
        #expect(tokenizer.decode([1, 267, 262]) == "aa")
        #expect(tokenizer.decode(tokenizer.encode("a b")) == "a b")
    }

    @Test func refusesOtherVocabularies() throws {
        let scratch = try Scratch()
        func refuse(_ words: String, _ spoil: (inout GGUFBuilder) -> Void) {
            var file = sample()
            spoil(&file)
            let error = #expect(throws: FileError.self) { try tokenizer(file, scratch) }
            #expect(error?.description.contains(words) == true)
        }
        refuse("\"gpt2\"; 'llama' is read, and for any other Tools/tokenize.py") {
            $0.metadata[0] = ("tokenizer.ggml.model", [])
            $0.metadata.removeFirst()
            $0.add("tokenizer.ggml.model", string: "gpt2")
        }
        refuse("is missing") { $0.metadata.removeFirst() }
        refuse("tokenizer.ggml.scores is missing") { $0.metadata.remove(at: 2) }
        refuse("269 tokens, 1 scores") {
            $0.metadata.remove(at: 2)
            $0.add("tokenizer.ggml.scores", floats: [1])
        }
        refuse("wrong type") {
            $0.metadata.remove(at: 1)
            $0.add("tokenizer.ggml.tokens", floats: [1])
        }
        refuse("bos_token_id is no token") {
            $0.metadata.removeAll { $0.key == "tokenizer.ggml.bos_token_id" }
            $0.add("tokenizer.ggml.bos_token_id", u32: 269)
        }
        refuse("token 0 has type 9") {
            $0.metadata.removeAll { $0.key == "tokenizer.ggml.token_type" }
            $0.add("tokenizer.ggml.token_type", floats: [Float](repeating: 9, count: 269))
        }
        let folder = #expect(throws: FileError.self) { try Tokenizer(model: scratch.folder) }
        #expect(folder?.description.contains("Tools/tokenize.py") == true)
    }

    @Test func tokenFilesAreChecked() throws {
        let scratch = try Scratch()
        func read(_ text: String) throws -> [Int] {
            try Data(text.utf8).write(to: scratch["t.json"])
            return try TokenFile.read(scratch["t.json"], vocabulary: 10)
        }
        #expect(try read(#"{"note": "x", "tokens": [0, 9]}"#) == [0, 9])
        for (text, words) in [
            (#"{"tokens": [0, 10]}"#, "token 1 is 10; the model knows 0..<10"),
            (#"{"tokens": [-1]}"#, "token 0 is -1"),
            (#"{"tokens": [1.5]}"#, "a number of another kind"),
            (#"{}"#, "\"tokens\" is missing"), ("[1]", "t.json"), ("", "JSON"),
        ] {
            let error = #expect(throws: FileError.self) { try read(text) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
    }
}
