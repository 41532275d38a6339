import Foundation
import KVCompress
import KVFiles
import Testing

@Suite struct KVDumpTests {
    @Test func readsTheDumpsOfTheRepository() throws {
        let tiny = try KVDump.read(dataFolder.appending(path: "tinystories-5m.kv.safetensors"))
        #expect(tiny.layers.count == 6 && tiny.tokens == 512)
        #expect(tiny.layers[5].geometry == LayerGeometry(kvHeads: 4, keyDim: 32, valueDim: 32))
        #expect(tiny.layers[5].queries?.count == 4)
        #expect(tiny.metadata["rope_style"] == "split-half")
        try tiny.checkValues()

        let grouped = try KVDump.read(dataFolder.appending(path: "stories260k.kv.safetensors"))
        #expect(grouped.layers.count == 5 && grouped.tokens == 512)
        #expect(grouped.layers[0].geometry == LayerGeometry(kvHeads: 4, keyDim: 8, valueDim: 8))
        #expect(grouped.layers[0].group == 2)
        try grouped.checkValues()
    }

    /// Two layers of different shapes; the numbers tell layer, head, row and column.
    private func cache(queries: Bool = true) throws -> Cache {
        func heads(_ count: Int, _ rows: Int, _ dim: Int, _ start: Float) -> [Rows] {
            (0..<count).map { head in
                Rows((0..<rows * dim).map { start + Float(head * 1000 + $0) }, dim: dim)
            }
        }
        return try Cache(
            layers: [
                CacheLayer(
                    keys: heads(2, 5, 4, 0.5), values: heads(2, 5, 3, -0.5),
                    queries: queries ? heads(4, 2, 4, 0.25) : nil),
                CacheLayer(
                    keys: heads(1, 5, 2, 1.5), values: heads(1, 5, 7, -1.5),
                    queries: queries ? heads(3, 2, 2, 0.125) : nil),
            ],
            metadata: ["model": "none"])
    }

    @Test(arguments: [true, false])
    func readsWhatWasWritten(queries: Bool) throws {
        let scratch = try Scratch()
        let cache = try cache(queries: queries)
        try KVDump.write(cache, to: scratch["file"])
        let copy = try KVDump.read(scratch["file"])
        #expect(copy.metadata == ["model": "none", "format": "kv-dump", "keys": "post-rope"])
        for (layer, original) in zip(copy.layers, cache.layers) {
            #expect(layer.geometry == original.geometry)
            #expect(layer.keys.map { $0.floats() } == original.keys.map { $0.floats() })
            #expect(layer.values.map { $0.floats() } == original.values.map { $0.floats() })
            #expect(layer.queries?.map { $0.floats() } == original.queries?.map { $0.floats() })
        }
    }

    @Test func keepsFormatsAndBytes() throws {
        let scratch = try Scratch()
        let original = try KVDump.read(dataFolder.appending(path: "stories260k.kv.safetensors"))
        try KVDump.write(original, to: scratch["one"])
        try KVDump.write(KVDump.read(scratch["one"]), to: scratch["two"])
        let one = try KVDump.read(scratch["one"])
        #expect(one.metadata == original.metadata)
        #expect(one.layers[4].keys[3].format == .f16)
        #expect(one.layers[4].keys[3].floats() == original.layers[4].keys[3].floats())
        #expect(try Data(contentsOf: scratch["one"]) == Data(contentsOf: scratch["two"]))
        // A view with a stride between its rows is written packed.
        try KVDump.write(original.prefix(100), to: scratch["prefix"])
        #expect(try KVDump.read(scratch["prefix"]).tokens == 100)
    }

    @Test func writesHeadsOfDifferentFormatsAsF32() throws {
        let scratch = try Scratch()
        let half = Rows(
            storage: Storage(copying: [UInt16(0x3C00), 0x4000]), byteOffset: 0, format: .f16,
            count: 1, dim: 2)
        let full = Rows([3, 4], dim: 2)
        let cache = try Cache(layers: [CacheLayer(keys: [half, full], values: [half, half])])
        try KVDump.write(cache, to: scratch["file"])
        let layer = try KVDump.read(scratch["file"]).layers[0]
        #expect(layer.keys.map { $0.floats() } == [[1, 2], [3, 4]])
        #expect(layer.keys[0].format == .f32 && layer.values[0].format == .f16)
    }

    @Test func readsBatchAxisBFloat16AndMisalignedTensors() throws {
        let scratch = try Scratch()
        let header =
            "{\"layers.0.key\":{\"dtype\":\"BF16\",\"shape\":[1,1,1,2],\"data_offsets\":[0,4]},"
            + "\"layers.0.value\":{\"dtype\":\"F32\",\"shape\":[1,1,1],\"data_offsets\":[4,8]}}"
        for spaces in 0..<4 {
            let padded = header + String(repeating: " ", count: spaces)
            let url = try scratch.file(
                safetensors(padded, data: [0x80, 0x3F, 0, 0x40, 0, 0, 0x40, 0x40]))
            let layer = try KVDump.read(url).layers[0]
            #expect(layer.keys[0].floats() == [1, 2])
            #expect(layer.values[0].floats() == [3])
        }
    }

    /// A dump of f16 zeros with these shapes.
    private func dump(
        _ shapes: [String: [Int]], metadata: [String: String] = [:], in scratch: Scratch
    ) throws -> URL {
        let tensors = shapes.map { name, shape in
            Safetensors.NewTensor(name: name, dataType: .f16, shape: shape) {
                writer throws(FileError) in
                try writer.write([UInt16](repeating: 0, count: shape.reduce(1, *)))
            }
        }
        try Safetensors.write(tensors, metadata: metadata, to: scratch["file"])
        return scratch["file"]
    }

    @Test(arguments: [
        ([:], "no KV dump"),
        (["layers.0.key": [1, 2, 3]], "layers.0.value is missing"),
        (["layers.0.query": [1, 2, 3], "layers.0.value": [1, 2, 3]], "layers.0.key is missing"),
        (
            ["layers.1.key": [1, 2, 3], "layers.1.value": [1, 2, 3]],
            "layer 0 is missing, layer 1 is there"
        ),
        (
            ["layers.0.keys": [1, 2, 3]],
            "unexpected tensor \"layers.0.keys\"; valid are layers.{i}.key"
        ),
        (["layers.00.key": [1, 2, 3]], "unexpected tensor \"layers.00.key\""),
        (["layers.-1.key": [1, 2, 3]], "unexpected tensor \"layers.-1.key\""),
        (["layers.99999999999999999999.key": [1, 2, 3]], "unexpected tensor"),
        (
            ["layers.0.key": [2, 3], "layers.0.value": [1, 2, 3]],
            "layers.0.key: shape [2, 3]; valid is"
        ),
        (
            ["layers.0.key": [2, 1, 2, 3], "layers.0.value": [1, 2, 3]],
            "layers.0.key: shape [2, 1, 2, 3]"
        ),
        (
            ["layers.0.key": [1, 0, 3], "layers.0.value": [1, 0, 3]],
            "layers.0.key: shape [1, 0, 3]; valid are"
        ),
        (
            ["layers.0.key": [0, 2, 3], "layers.0.value": [1, 2, 3]],
            "layers.0.key: shape [0, 2, 3]"
        ),
        (
            ["layers.0.key": [1, 2, 1025], "layers.0.value": [1, 2, 3]],
            "layers.0.key: shape [1, 2, 1025]"
        ),
        (
            ["layers.0.key": [1, 2, 0], "layers.0.value": [1, 2, 3]],
            "layers.0.key: shape [1, 2, 0]"
        ),
        (
            ["layers.0.key": [1, 2, 3], "layers.0.value": [1, 3, 3]],
            "layer 0: value of head 0 has 3 tokens"
        ),
        (
            ["layers.0.key": [2, 2, 3], "layers.0.value": [1, 2, 3]],
            "layer 0: 2 heads of keys but 1 of values"
        ),
        (
            [
                "layers.0.key": [1, 2, 3], "layers.0.value": [1, 2, 3],
                "layers.1.key": [1, 4, 3], "layers.1.value": [1, 4, 3],
            ], "layer 1: key of head 0 has 4 tokens, the first layer has 2"
        ),
        (
            [
                "layers.0.key": [1, 2, 3], "layers.0.value": [1, 2, 3],
                "layers.0.query": [1, 3, 3],
            ],
            "layer 0: query head 0 has 3 rows"
        ),
        (
            [
                "layers.0.key": [1, 2, 3], "layers.0.value": [1, 2, 3],
                "layers.0.query": [1, 2, 3],
                "layers.1.key": [1, 2, 3], "layers.1.value": [1, 2, 3],
            ], "layer 1 has no queries, layer 0 has 2 queries per head"
        ),
    ])
    func refusesAWrongShape(shapes: [String: [Int]], words: String) throws {
        let scratch = try Scratch()
        let url = try dump(shapes, in: scratch)
        expectRefusal(.shape, words) { _ = try KVDump.read(url) }
    }

    @Test func refusesOtherFormats() throws {
        let scratch = try Scratch()
        let shapes = ["layers.0.key": [1, 1, 2], "layers.0.value": [1, 1, 2]]
        for (name, value) in [("format", "export"), ("keys", "pre-rope")] {
            let url = try dump(shapes, metadata: [name: value], in: scratch)
            expectRefusal(.unsupported, "metadata says \(name)=\"\(value)\"; only") {
                _ = try KVDump.read(url)
            }
        }
        try Safetensors.write(
            [Safetensors.NewTensor(name: "layers.0.key", shape: [1, 1, 1], [1] as [Int32])],
            to: scratch["file"])
        expectRefusal(.unsupported, "layers.0.key: numbers are I32; valid are F32, F16 and BF16") {
            _ = try KVDump.read(scratch["file"])
        }
    }
}

@Suite struct QueryAndExportTests {
    @Test func readsQueriesAloneOrOfADump() throws {
        let scratch = try Scratch()
        try Safetensors.write(
            [
                Safetensors.NewTensor(
                    name: "layers.0.query", shape: [2, 1, 2], [1, 2, 3, 4] as [Float])
            ],
            to: scratch["file"])
        let queries = try QueryFile.read(scratch["file"])
        #expect(queries.map { $0.map { $0.floats() } } == [[[1, 2], [3, 4]]])
        #expect(
            try QueryFile.read(dataFolder.appending(path: "stories260k.kv.safetensors")).count == 5)
    }

    @Test func refusesAFileWithoutQueries() throws {
        let scratch = try Scratch()
        try Safetensors.write([], to: scratch["file"])
        expectRefusal(.shape, "no tensor layers.0.query") {
            _ = try QueryFile.read(scratch["file"])
        }
        try Safetensors.write(
            [Safetensors.NewTensor(name: "layers.0.key", shape: [1, 1, 1], [1] as [Float])],
            to: scratch["file"])
        expectRefusal(.shape, "layers.0.query is missing") {
            _ = try QueryFile.read(scratch["file"])
        }
    }

    @Test func writesOutputs() throws {
        let scratch = try Scratch()
        let output = QueryFile.Output(
            queryHeads: 2, queries: 1, dim: 3, values: [1, 2, 3, 4, 5, 6])
        try QueryFile.write(outputs: [output, output], to: scratch["file"])
        let file = try Safetensors(scratch["file"])
        let tensor = try #require(file.tensors["layers.1.output"])
        #expect(tensor.dataType == .f32 && tensor.shape == [2, 1, 3])
        #expect(
            file.storage(of: tensor).bytes.bindMemory(to: Float.self).elementsEqual([
                1, 2, 3, 4, 5, 6,
            ]))
    }

    @Test func writesAnExport() throws {
        let scratch = try Scratch()
        let head = Export.Head(
            keys: [1, 2, 3, 4], values: [5, 6], positions: [0, 9], votes: [1, 2.5])
        let none = Export.Head(keys: [], values: [], positions: [], votes: [])
        try Export.write([[head, none]], metadata: ["plan": "q8"], to: scratch["file"])
        let file = try Safetensors(scratch["file"])
        #expect(file.metadata == ["plan": "q8"])
        #expect(file.tensors.count == 8)
        let expected: [(String, Safetensors.DataType, [Int])] = [
            ("key", .f32, [2, 2]), ("value", .f32, [2, 1]), ("position", .i32, [2]),
            ("votes", .f32, [2]),
        ]
        for (name, type, shape) in expected {
            let tensor = try #require(file.tensors["layers.0.heads.0.\(name)"])
            #expect(tensor.dataType == type && tensor.shape == shape)
        }
        let positions = try #require(file.tensors["layers.0.heads.0.position"])
        #expect(file.storage(of: positions).bytes.bindMemory(to: Int32.self).elementsEqual([0, 9]))
        #expect(file.tensors["layers.0.heads.1.key"]?.shape == [0, 0])
    }
}
