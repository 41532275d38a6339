import Foundation
import KVCompress
import KVFiles
import KVModelFiles
import Testing

@Suite struct GGUFTests {
    /// A file with a value of most kinds and a tensor of every format.
    static func sample() -> GGUFBuilder {
        var file = GGUFBuilder()
        file.add("general.architecture", string: "llama")
        file.add("count", u32: 7)
        file.add("epsilon", f32: 0.25)
        file.metadata.append(("flag", [7, 0, 0, 0, 1]))
        file.metadata.append(("least", [5, 0, 0, 0] + GGUFBuilder.little(Int32(-3))))
        file.add("words", strings: ["a", "", "▁the"])
        file.add("scores", floats: [0, -1.5])
        file.add("plain", [2, 3], [1, 2, 3, 4, 5, 6])
        file.add("half", [4], type: 1, [0x00, 0x3C, 0x00, 0xC0, 0x00, 0x38, 0x00, 0x00])
        file.add("brain", [2], type: 30, [0x80, 0x3F, 0x40, 0xC0])
        file.add(
            "eight", [32], type: 8, [0x00, 0x38] + (0..<32).map { UInt8(bitPattern: $0 - 16) })
        file.add("four", [32], type: 2, [0x00, 0x40] + (0..<16).map { $0 << 4 | (15 - $0) })
        return file
    }

    private func floats(_ file: GGUF, _ name: String) throws -> [Float] {
        let tensor = try #require(file.tensors[name])
        let count = tensor.shape.reduce(1, *)
        let bytes = file.storage(of: tensor)
        #expect(bytes.byteCount == tensor.format.byteCount(count))
        return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            let base = try #require(bytes.bytes.baseAddress)
            tensor.format.decode(base, count: count, to: try #require(buffer.baseAddress))
            initialized = count
        }
    }

    @Test func readsEveryKindOfValueAndTensor() throws {
        let scratch = try Scratch()
        let file = try GGUF(try scratch.file(Self.sample().bytes))
        #expect(file.metadata["general.architecture"]?.string == "llama")
        #expect(file.metadata["count"]?.integer == 7 && file.metadata["count"]?.number == 7)
        #expect(
            file.metadata["epsilon"]?.number == 0.25 && file.metadata["epsilon"]?.integer == nil)
        #expect(file.metadata["flag"]?.bool == true)
        #expect(file.metadata["least"]?.integer == -3)
        let words = try #require(file.metadata["words"]?.list)
        #expect(words.strings == ["a", "", "▁the"].map { Array($0.utf8) } && words.numbers == nil)
        let scores = try #require(file.metadata["scores"]?.list)
        #expect(scores.numbers == [0, -1.5] && scores.strings == nil && scores.count == 2)
        #expect(file.tensors["plain"]?.shape == [3, 2])
        #expect(try floats(file, "plain") == [1, 2, 3, 4, 5, 6])
        #expect(try floats(file, "half") == [1, -2, 0.5, 0])
        #expect(try floats(file, "brain") == [1, -3])
        #expect(try floats(file, "eight") == (0..<32).map { 0.5 * Float($0 - 16) })
        let low = (0..<16).map { 2 * Float(15 - $0 - 8) }, high = (0..<16).map { 2 * Float($0 - 8) }
        #expect(try floats(file, "four") == low + high)
    }

    @Test func obeysTheAlignment() throws {
        let scratch = try Scratch()
        var file = GGUFBuilder()
        file.alignment = 64
        file.add("general.alignment", u32: 64)
        file.add("a", [1], [1])
        file.add("b", [1], [2])
        let read = try GGUF(try scratch.file(file.bytes))
        #expect(try floats(read, "b") == [2])
        #expect(try #require(read.tensors["b"]).bytes.lowerBound % 64 == 0)
    }

    /// What is wrong with a file, and what the message has to say about it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let code: FileError.Code
        let words: String
        let spoil: @Sendable (inout GGUFBuilder) -> Void
        var testDescription: String { words }

        init(
            _ code: FileError.Code, _ words: String,
            _ spoil: @escaping @Sendable (inout GGUFBuilder) -> Void
        ) {
            (self.code, self.words, self.spoil) = (code, words, spoil)
        }
    }

    static let faults = [
        Fault(.format, "begin with 'GGUF'") { $0.magic = Array("GGJT".utf8) },
        Fault(.unsupported, "GGUF version 4; versions 2 and 3") { $0.version = 4 },
        Fault(.unsupported, "big-endian") { $0.version = UInt32(3).byteSwapped },
        Fault(.format, "9223372036854775807 tensors do not fit") { $0.tensorCount = .max >> 1 },
        Fault(.format, "18446744073709551615 metadata entries do not") { $0.entryCount = .max },
        Fault(.format, "\"count\" is given twice") { $0.add("count", u32: 1) },
        Fault(.format, "type of the value of \"bad\" is 13") {
            $0.metadata.append(("bad", [13, 0, 0, 0]))
        },
        Fault(.format, "\"bad\" takes 72057594037927935 bytes") {
            $0.metadata.append(("bad", [8, 0, 0, 0] + GGUFBuilder.little(UInt64.max >> 8)))
        },
        Fault(.format, "elements of the value of \"bad\" do not fit") {
            $0.metadata.append(
                ("bad", [9, 0, 0, 0, 10, 0, 0, 0] + GGUFBuilder.little(UInt64.max >> 3)))
        },
        Fault(.unsupported, "array of arrays") {
            $0.metadata.append(("bad", [9, 0, 0, 0, 9, 0, 0, 0] + GGUFBuilder.little(UInt64(1))))
        },
        Fault(.format, "\"bad\" is not UTF-8") {
            $0.metadata.append(("bad", [8, 0, 0, 0] + GGUFBuilder.little(UInt64(1)) + [0xFF]))
        },
        Fault(.format, "neither 0 nor 1") { $0.metadata.append(("bad", [7, 0, 0, 0, 2])) },
        Fault(.format, "general.alignment is") { $0.add("general.alignment", u32: 24) },
        Fault(.format, "general.alignment is") { $0.add("general.alignment", string: "32") },
        Fault(.format, "has 5 dimensions") { $0.tensors[0].dimensions = [1, 1, 1, 1, 1] },
        Fault(.format, "has 0 dimensions") { $0.tensors[0].dimensions = [] },
        Fault(.format, "a dimension of 0") { $0.tensors[0].dimensions = [2, 0] },
        Fault(.format, "too many elements") { $0.tensors[0].dimensions = [1 << 62, 4] },
        Fault(.damaged, "beyond the end") { $0.tensors[0].dimensions = [1 << 62] },
        Fault(.damaged, "beyond the end") { $0.tensors[0].offset = .max - 31 },
        Fault(.damaged, "\"four\" ends at byte") { $0.data.removeLast() },
        Fault(.unsupported, "ggml type 12; the types that are read are F32, F16, Q4_0") {
            $0.tensors[0].type = 12
        },
        Fault(.format, "no whole Q8_0 blocks") { $0.tensors[3].dimensions = [16, 2] },
        Fault(.format, "no multiple of the alignment 32") { $0.tensors[1].offset += 4 },
        Fault(.format, "\"plain\" and \"half\" overlap") {
            $0.tensors[0].dimensions = [2, 6]
        },
        Fault(.format, "tensor \"plain\" is described twice") { $0.tensors[1].name = "plain" },
    ]

    @Test(arguments: faults) func refusesWithTheReason(_ fault: Fault) throws {
        let scratch = try Scratch()
        var file = Self.sample()
        fault.spoil(&file)
        let url = try scratch.file(file.bytes)
        expectRefusal(fault.code, fault.words) { _ = try GGUF(url) }
    }

    @Test func refusesAFileThatIsCutAnywhere() throws {
        let scratch = try Scratch()
        let whole = Self.sample().bytes
        for length in 0..<whole.count {
            let url = try scratch.file(Array(whole[..<length]))
            #expect(throws: FileError.self, "cut to \(length)") { try GGUF(url) }
        }
    }
}
