import Foundation
import KVCompress
import KVFiles
import Testing

@Suite struct SafetensorsTests {
    @Test func readsWhatWasWritten() throws {
        let scratch = try Scratch()
        let strings = ["model": "a \"quoted\" \\ name\n\u{1}, é 漢 🙂", "": ""]
        try Safetensors.write(
            [
                Safetensors.NewTensor(name: "b", shape: [2, 3], [1, 2, 3, 4, 5, 6] as [Float]),
                Safetensors.NewTensor(name: "bytes", dataType: .u8, shape: [3]) {
                    writer throws(FileError) in
                    try writer.write([UInt8(7), 8, 9])
                },
                Safetensors.NewTensor(name: "a", shape: [1], [-5] as [Int32]),
                Safetensors.NewTensor(name: "empty", shape: [0, 4], [] as [Float]),
                Safetensors.NewTensor(name: "scalar", shape: [], [2.5] as [Float]),
            ], metadata: strings, to: scratch["file"])
        let file = try Safetensors(scratch["file"])
        #expect(file.metadata == strings)
        #expect(Set(file.tensors.keys) == ["a", "b", "bytes", "empty", "scalar"])
        let b = try #require(file.tensors["b"])
        #expect(b.dataType == .f32 && b.shape == [2, 3])
        #expect(b.bytes.lowerBound % 4 == 0)
        #expect(
            file.storage(of: b).bytes.bindMemory(to: Float.self).elementsEqual([1, 2, 3, 4, 5, 6]))
        let bytes = try #require(file.tensors["bytes"])
        #expect(Array(file.storage(of: bytes).bytes) == [7, 8, 9])
        #expect(file.tensors["empty"]?.bytes.count == 0)
        #expect(file.tensors["scalar"]?.shape == [])
    }

    @Test func writesEqualBytesForEqualTensors() throws {
        let scratch = try Scratch()
        let tensors = [
            Safetensors.NewTensor(name: "b", shape: [2], [1, 2] as [Float]),
            Safetensors.NewTensor(name: "a", shape: [1], [3] as [Int32]),
        ]
        try Safetensors.write(tensors, metadata: ["x": "1", "y": "2"], to: scratch["one"])
        try Safetensors.write(
            tensors.reversed(), metadata: ["y": "2", "x": "1"], to: scratch["two"])
        let one = try Data(contentsOf: scratch["one"])
        #expect(try one == Data(contentsOf: scratch["two"]))
        let header =
            "{\"__metadata__\":{\"x\":\"1\",\"y\":\"2\"},"
            + "\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}"
        let padded =
            header + String(repeating: " ", count: (64 - (8 + header.utf8.count) % 64) % 64)
        #expect(one == Data(safetensors(padded, data: [3, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64])))
    }

    @Test func readsEscapesAndSpace() throws {
        let scratch = try Scratch()
        let header =
            " \"\\u00e9\\ud83d\\ude42\\/\\t\" : { \"shape\" : [ ] ,\n\"dtype\":\"U8\","
            + "\"data_offsets\":[0,1]} }  "
        let file = try Safetensors(try scratch.file(safetensors("{" + header, data: [1])))
        #expect(Array(file.tensors.keys) == ["é🙂/\t"])
    }

    private static func entry(
        _ name: String = "a", _ dtype: String = "\"U8\"", _ shape: String = "[4]",
        _ offsets: String = "[0,4]"
    ) -> String {
        "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    private static let large = "9223372036854775807"

    @Test(arguments: [
        ("[]", "the header at byte 8 is no JSON object"),
        (" {}", "the header at byte 8 is no JSON object"),
        ("", "the header at byte 8 is no JSON object"),
        ("{", "byte 9: expected a string"),
        ("{}x", "byte 10: text after the end"),
        ("{\"a\"}", "byte 12: expected ':'"),
        ("{\"a\":1,}", "byte 15: expected a string"),
        ("{\"a\":null}", "byte 13: expected an object, an array, a string or an integer from 0"),
        ("{\"a\":-1}", "byte 13: expected an object"),
        ("{\"a\":1.5}", "byte 13: a number that is no integer"),
        ("{\"a\":1e3}", "byte 13: a number that is no integer"),
        ("{\"a\":01}", "byte 13: an integer with a leading 0"),
        ("{\"a\":9223372036854775808}", "byte 13: an integer beyond 9223372036854775807"),
        ("{\"a\":\(String(repeating: "9", count: 1000))}", "byte 13: an integer beyond"),
        ("{\"a\":\(String(repeating: "[", count: 100_000))", "nested deeper than 8"),
        ("{\"a", "byte 9: a string without an end"),
        ("{\"a\n\":1}", "byte 11: a control character"),
        ("{\"\\x\":1}", "byte 10: an unknown escape"),
        ("{\"\\ud83d\":1}", "byte 10: half of a surrogate pair"),
        ("{\"\\u12g4\":1}", "four hexadecimal digits"),
        ("{\"a\":{},\"a\":{}}", "byte 16: the name \"a\" is given twice"),
        (
            "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}",
            "byte 27: the name \"dtype\" is given twice"
        ),
        ("{\"__metadata__\":[]}", "__metadata__ is no object of strings"),
        ("{\"__metadata__\":{\"a\":1}}", "__metadata__ is no object of strings"),
        ("{\"a\":[]}", "tensor \"a\": expected a dtype"),
        ("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", "tensor \"a\": expected a dtype"),
        ("{\(entry("a", "8"))}", "tensor \"a\": expected a dtype"),
        ("{\(entry("a", "\"U8\"", "[\"4\"]"))}", "tensor \"a\": expected a dtype"),
        ("{\(entry("a", "\"U8\"", "[4]", "[0,4,8]"))}", "tensor \"a\": expected a dtype"),
        (
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}}",
            "and nothing else"
        ),
        ("{\(entry("a", "\"U8\"", "[\(large),\(large)]"))}", "has more bytes than can be counted"),
        ("{\(entry("a", "\"F64\"", "[\(large),0]"))}", "has more bytes than can be counted"),
        ("{\(entry("a", "\"U8\"", "[4]", "[4,0]"))}", "data_offsets [4, 0] run backwards"),
        (
            "{\(entry("a", "\"U8\"", "[3]"))}",
            "U8 of shape [3] has 3 bytes, data_offsets [0, 4] hold 4"
        ),
        (
            "{\(entry("a", "\"F16\"", "[4]"))}",
            "F16 of shape [4] has 8 bytes, data_offsets [0, 4] hold 4"
        ),
        ("{\(entry("a")),\(entry("b", "\"U8\"", "[2]", "[2,4]"))}", "tensor \"b\" at byte"),
        ("{\(entry("a", "\"U8\"", "[2]", "[2,4]"))}", "before tensor \"a\" belong to no tensor"),
        ("{\(entry("a", "\"U8\"", "[2]", "[0,2]"))}", "2 bytes after tensor \"a\""),
        ("{}", "4 bytes after the header"),
    ])
    func refusesABadHeader(header: String, words: String) throws {
        let scratch = try Scratch()
        let url = try scratch.file(safetensors(header, data: [1, 2, 3, 4]))
        expectRefusal(.format, words) { _ = try Safetensors(url) }
    }

    @Test func refusesUnknownNumbersAndMissingBytes() throws {
        let scratch = try Scratch()
        let unknown = try scratch.file(
            safetensors("{\(Self.entry("a", "\"F4\""))}", data: [1, 2, 3, 4]))
        expectRefusal(.unsupported, "tensor \"a\": unknown dtype \"F4\"") {
            _ = try Safetensors(unknown)
        }
        let outside = try scratch.file(safetensors("{\(Self.entry())}", data: [1, 2, 3]))
        expectRefusal(.damaged, "lie outside the data section of 3 bytes") {
            _ = try Safetensors(outside)
        }
        let short = try scratch.file([1, 2, 3])
        expectRefusal(.format, "3 bytes are too few") { _ = try Safetensors(short) }
        let huge = try scratch.file([UInt8](repeating: 255, count: 100))
        expectRefusal(.format, "ask for a header of 18446744073709551615 bytes") {
            _ = try Safetensors(huge)
        }
        let cut = try scratch.file(Array(safetensors("{\(Self.entry())}").dropLast(5)))
        expectRefusal(.damaged, "but the file at") { _ = try Safetensors(cut) }
        let invalid = try scratch.file([4, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x22, 0xFF, 0x22])
        expectRefusal(.format, "byte 9: a string that is not UTF-8") {
            _ = try Safetensors(invalid)
        }
    }

    @Test func namesInMessagesStayShort() throws {
        let scratch = try Scratch()
        let name = String(repeating: "x", count: 100_000)
        let url = try scratch.file(
            safetensors("{\(Self.entry(name, "\"U8\"", "[3]"))}", data: [1, 2, 3, 4]))
        let error = refusal { _ = try Safetensors(url) }
        #expect((error?.description.count ?? 0) < 400)
    }
}
