import Foundation
import Testing

@testable import KVCompress

/// TurboQuant against the paper's steps and its bounds.
@Suite struct TurboQuantTests {
    private static func doubles(_ floats: [Float], dim: Int) -> [[Double]] {
        stride(from: 0, to: floats.count, by: dim).map { floats[$0..<$0 + dim].map(Double.init) }
    }

    /// The mean of |row - decoded|^2 / |row|^2.
    private static func error(_ rows: [[Double]], _ decoded: [[Double]]) -> Double {
        zip(rows, decoded).reduce(0) { sum, pair in
            let lost = zip(pair.0, pair.1).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            return sum + lost / pair.0.reduce(0) { $0 + $1 * $1 }
        } / Double(rows.count)
    }

    /// Rows that point anywhere lose what the codebook's optimum loses, within 1%; keys of strong channels
    /// not much more, as their directions are few.
    @Test(arguments: [(2, 0.1175), (3, 0.03454), (4, 0.009497)], TurboQuant.Rotation.allCases)
    func errorIsOptimal(
        expected: (bits: Int, limit: Double), rotation: TurboQuant.Rotation
    ) throws {
        let plan = try Plan("turboquant(bits=\(expected.bits), rotate=\(rotation), seed=7)")
        let optimum = LloydReference(dim: 128).optimum(levels: 1 << expected.bits)
        #expect(optimum < expected.limit, "many dimensions are the worst case")
        func found(_ keys: Rows) throws -> Double {
            let values = Rows([Float](repeating: 1, count: keys.count), dim: 1)
            let cache = try Cache(layers: [CacheLayer(keys: [keys], values: [values])])
            let decoded = try plan.compress(cache).entries(layer: 0, head: 0).keys
            return Self.error(
                Self.doubles(keys.floats(), dim: 128), Self.doubles(decoded, dim: 128))
        }
        var random = Seeded(3)
        let normals = (0..<4000 * 128).map { _ in
            let radius = (-2 * log(Float.random(in: 1e-7...1, using: &random))).squareRoot()
            return radius * cos(2 * .pi * Float.random(in: 0..<1, using: &random))
        }
        let even = try found(Rows(normals, dim: 128))
        #expect(abs(even / optimum - 1) < 0.01, "\(even) of \(optimum)")
        let shape = RandomCache(seed: 3, kvHeads: 1, tokens: 300, keyDim: 128, valueDim: 128)
        let uneven = try found(shape.make().layers[0].keys[0])
        #expect(uneven < 1.05 * optimum, "\(uneven) of \(optimum)")
    }

    /// Row by row near the reference: a code differs where two centroids are equally near, and levels are
    /// rounded to 8 bits.
    @Test(arguments: [8, 33, 64, 80, 128], [2, 3, 4]) func nearTheReference(
        dim: Int, bits: Int
    ) throws {
        let shape = RandomCache(seed: 4, kvHeads: 1, tokens: 20, keyDim: dim, valueDim: dim)
        let cache = try shape.make()
        let entries = try Plan("turboquant(bits=\(bits), seed=2)").compress(cache)
            .entries(layer: 0, head: 0)
        let reference = TurboQuantReference(
            bits: bits, rotation: TurboQuantReference.hadamard(dim: dim, seed: 2))
        let rows = Self.doubles(cache.layers[0].keys[0].floats(), dim: dim)
        let expected = rows.map(reference.decoded), found = Self.doubles(entries.keys, dim: dim)
        let optimum = LloydReference(dim: dim).optimum(levels: 1 << bits)
        #expect(Self.error(expected, found) < 0.2 * optimum)
        #expect(abs(Self.error(rows, found) / Self.error(rows, expected) - 1) < 0.02)
    }

    @Test func seedsAndZeros() throws {
        var shape = RandomCache(seed: 5, tokens: 30)
        shape.format = .f16
        let cache = try shape.make()
        func keys(_ text: String) throws -> [Float] {
            try Plan(text).compress(cache).entries(layer: 0, head: 0).keys
        }
        for rotation in TurboQuant.Rotation.allCases {
            let seeds = try (0..<3).map { try keys("turboquant(rotate=\(rotation), seed=\($0))") }
            #expect(Set(seeds).count == 3)
            #expect(try keys("turboquant(rotate=\(rotation), seed=1)").bits == seeds[1].bits)
        }
        let zeros = Rows([Float](repeating: 0, count: 64), dim: 32)
        let nothing = try Plan("turboquant(bits=2)").compress(
            Cache(layers: [CacheLayer(keys: [zeros], values: [zeros])]))
        #expect(nothing.entries(layer: 0, head: 0).keys.allSatisfy { $0 == 0 })
    }
}
