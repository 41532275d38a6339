import Foundation
import Testing

@testable import KVCompress

/// What stands in a compressed cache: which entries are exact, and how far the others are.
@Suite struct CodecTests {
    static let quantized = ["q8", "q4", "q3", "q2"].flatMap { format in
        ["symmetric", "asymmetric"].flatMap { mode in
            [32, 64, 128].flatMap { group in
                ["per-token", "per-channel"].flatMap { axis in
                    ["none", "hadamard"].map { rotate in
                        "\(format)(group=\(group), keys=\(axis), values=\(axis), rotate=\(rotate), mode=\(mode))"
                    }
                }
            }
        }
    }

    /// No number is further from its original than half the stored step (in the rotated space where rows
    /// are rotated), and what does not fill a group per channel is exact.
    @Test(arguments: quantized) func halfAStep(plan text: String) throws {
        let plan = try Plan(text)
        var worst = 0.0
        for seed in 0..<8 {
            var shape = RandomCache.any(seed + 200)
            shape.format = .f16
            let cache = try shape.make()
            let compressed = try plan.compress(cache)
            for head in 0..<shape.kvHeads {
                let entries = compressed.entries(layer: 0, head: head)
                let layer = cache.layers[0]
                worst = max(
                    worst,
                    Self.check(
                        layer.keys[head],
                        entries.keys,
                        plan.encode!.keys,
                        "\(text), keys, \(shape)"
                    ),
                    Self.check(
                        layer.values[head],
                        entries.values,
                        plan.encode!.values,
                        "\(text), values, \(shape)"
                    )
                )
            }
        }
        // Half a step is reached, else the steps are too large.
        #expect(worst > 0.45, "\(text): worst error \(worst) steps")
    }

    /// Compares decoded rows with their originals; the largest error in steps.
    private static func check(
        _ rows: Rows,
        _ decoded: [Float],
        _ codec: CodecConfiguration,
        _ what: String
    ) -> Double {
        func doubles(_ floats: [Float]) -> [[Double]] {
            stride(from: 0, to: floats.count, by: rows.dim).map {
                floats[$0..<$0 + rows.dim].map(Double.init)
            }
        }
        var exact = doubles(rows.floats()), found = doubles(decoded)
        let perChannel = codec.axis == .channel
        let coded = perChannel ? rows.count - rows.count % codec.group : rows.count
        #expect(found[coded...].elementsEqual(exact[coded...]), "\(what): the tail is exact")
        guard coded > 0 else { return 0 }
        (exact, found) = (Array(exact[..<coded]), Array(found[..<coded]))
        if codec.rotated {
            (exact, found) = (exact.map(hadamardReference), found.map(hadamardReference))
        }
        let reference = QuantizerReference(
            bits: codec.format.codeBits!,
            asymmetric: codec.asymmetric
        )
        let steps = reference.steps(exact, group: codec.group, perChannel: perChannel)
        var worst = 0.0
        for t in exact.indices {
            // The rounding of the arithmetic in f32, rotations there and back included.
            let slack = 4e-6 * exact[t].map(abs).max()!
            for c in exact[t].indices {
                let error = abs(exact[t][c] - found[t][c])
                #expect(
                    error <= steps[t][c] / 2 + slack,
                    "\(what): entry \(t), element \(c) is \(found[t][c]) for \(exact[t][c]), step \(steps[t][c])"
                )
                if steps[t][c] > 0 { worst = max(worst, (error - slack) / steps[t][c]) }
            }
        }
        return worst
    }

    /// Plain formats: f32 keeps every bit, f16 keeps f16, bf16 keeps bf16, and others round to nearest.
    @Test func plainFormats() throws {
        for seed in 0..<20 {
            let shape = RandomCache.any(seed)
            let cache = try shape.make()
            for format in ElementFormat.allCases {
                let compressed = try Plan(format.rawValue).compress(cache)
                let original = cache.layers[0].keys[0].floats()
                let keys = compressed.entries(layer: 0, head: 0).keys
                if format == .f32 || format == shape.format {
                    #expect(keys.bits == original.bits, "\(format), \(shape)")
                } else if format == .f16 {
                    #expect(
                        keys.map(Double.init) == original.map { HalfReference.round(Double($0)) },
                        "\(shape)"
                    )
                } else {
                    for (x, y) in zip(original, keys) {
                        #expect(abs(x - y) <= abs(x) / 256, "\(shape)")
                    }
                }
            }
        }
    }

    /// The newest `window` entries, and the protected layers, are the f16 numbers that went in.
    @Test(arguments: [
        "q4(window=20, protect=1)", "q8(keys=per-channel, window=37)",
        "kv(keys=q4, values=q8, window=1000)",
        "random(budget=60%) | q4(rotate=hadamard, window=13)",
    ])
    func window(plan text: String) throws {
        let plan = try Plan(text)
        let shape = RandomCache(
            seed: 5,
            layers: 4,
            kvHeads: 2,
            tokens: 150,
            keyDim: 40,
            valueDim: 33,
            format: .f16
        )
        let cache = try shape.make()
        let compressed = try plan.compress(cache)
        for layer in 0..<4 {
            for head in 0..<2 {
                let entries = compressed.entries(layer: layer, head: head)
                let source = cache.layers[layer]
                let isProtected = layer < plan.encode!.protect || layer >= 4 - plan.encode!.protect
                let n = entries.positions.count
                var inexact = 0
                for (index, position) in entries.positions.enumerated() {
                    let key = entries.keys[index * 40..<(index + 1) * 40]
                    let value = entries.values[index * 33..<(index + 1) * 33]
                    let same =
                        key.elementsEqual(source.keys[head].row(Int(position)))
                        && value.elementsEqual(source.values[head].row(Int(position)))
                    if isProtected || index >= n - plan.encode!.window {
                        #expect(same, "\(text): layer \(layer), head \(head), entry \(index)")
                    } else if !same {
                        inexact += 1
                    }
                }
                // The rest is coded, but for a tail that fills no group.
                #expect(
                    isProtected || inexact >= n - plan.encode!.window - 31,
                    "\(text): layer \(layer)"
                )
            }
        }
    }

    /// Symmetric codes of decoded numbers are the same codes: re-encoding a block loses nothing.
    @Test(
        arguments: quantized.filter { $0.contains("mode=symmetric") && $0.contains("rotate=none") }
    )
    func encodingIsIdempotent(plan text: String) throws {
        for seed in 0..<6 {
            let shape = RandomCache.any(seed + 300)
            let once = try Plan(text).compress(try shape.make())
            let decoded = (0..<shape.kvHeads).map { once.entries(layer: 0, head: $0) }
            let again = try Plan(text).compress(
                Cache(layers: [
                    CacheLayer(
                        keys: decoded.map { Rows($0.keys, dim: shape.keyDim) },
                        values: decoded.map { Rows($0.values, dim: shape.valueDim) }
                    )
                ])
            )
            for head in decoded.indices {
                let entries = again.entries(layer: 0, head: head)
                #expect(
                    entries.keys == decoded[head].keys && entries.values == decoded[head].values,
                    "\(text), \(shape)"
                )
            }
        }
    }

    /// The widest numbers that a plan lets in come out finite, in every space and part.
    @Test(
        arguments: quantized + [
            "f16", "bf16", "kv(keys=f32, values=f32, window=8)",
            "kv(keys=q4(rotate=hadamard), values=f32)",
        ]
    )
    func extremesStayFinite(plan text: String) throws {
        for size in [Float(2e3), 6e4, 65504, 1e6, 1e30, .greatestFiniteMagnitude] {
            for negative in [false, true] {
                let floats = (0..<64 * 70).map { $0 % 64 == 63 && negative ? -size : size }
                let rows = Rows(floats, dim: 64)
                let cache = try Cache(layers: [CacheLayer(keys: [rows], values: [rows])])
                do {
                    let compressed = try Plan(text).compress(cache)
                    let entries = compressed.entries(layer: 0, head: 0)
                    #expect(
                        entries.keys.allSatisfy { $0.isFinite },
                        "\(text), keys of size \(size)"
                    )
                    #expect(
                        entries.values.allSatisfy { $0.isFinite },
                        "\(text), values of size \(size)"
                    )
                } catch {
                    #expect(error.code == .values)
                    #expect(size > 2e3, "\(text) refuses \(size)")
                }
            }
        }
    }

    /// Stores lie in memory that nobody cleared, and are written in chunks, each of its own bytes.
    @Test(arguments: quantized + ["f32", "f16", "turboquant(bits=4)"])
    func everyByteIsWrittenInItsPlace(plan text: String) throws {
        let encode = try Plan(text).encode!
        var random = Seeded(7)
        func normals(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
        for dim in [7, 40, 64] {
            var basis = Basis(
                matrix: normals(dim * dim), dim: dim, allocator: Allocator(), kernels: .best)
            basis.rope = try RoPE(
                metadata: ["rope_theta": "1e4", "rope_style": "split-half", "rope_dims": "6"])
            let codecs = [
                encode.keys.codec(.keys, dim: dim), encode.values.codec(.values, dim: dim),
                encode.keys.codec(.keys, dim: dim, through: [basis], at: .run(first: 3)),
            ]
            for codec in codecs {
                let count = codec.entryMultiple > 1 ? 384 : 300
                let rows = normals(count * dim)
                let chunks = stride(from: 0, to: count, by: 128).map {
                    $0..<min($0 + 128, count)
                }
                var all: [Int] = []
                for chunk in chunks {
                    let stores = [UInt8(0), 255].map { noise in
                        var store = [UInt8](
                            repeating: noise, count: codec.allocatedBytes(count))
                        codec.encode(
                            Array(rows[(chunk.lowerBound * dim)...]), count: chunk.count,
                            first: chunk.lowerBound, of: count, to: &store, kernels: .best)
                        return store
                    }
                    let written = stores[0].indices.filter { stores[0][$0] == stores[1][$0] }
                    #expect(
                        written == codec.places(chunk, of: count).flatMap(Array.init),
                        "dim \(dim), \(chunk), \(codec)")
                    all += written
                }
                #expect(all.sorted() == Array(0..<codec.allocatedBytes(count)))
            }
        }
    }
}
