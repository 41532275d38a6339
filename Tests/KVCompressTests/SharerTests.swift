import Foundation
import Testing

@testable import KVCompress

/// What the sharers make of rows, before anything is written.
@Suite struct SharerTests {
    /// A sharer as a plan's text describes it.
    static func sharer<S: Sharer>(_ arguments: String, as _: S.Type = S.self) throws -> S {
        let term = try TermParser.stages(of: "x(\(arguments))")[0]
        return try S(Arguments(term, S.identity.parameters, at: "x"))
    }

    /// One side of two or more layers as the pipeline hands it over.
    static func common(
        _ layers: [[Rows]], from first: Int = 0, kernels: Kernels = .best
    ) -> CommonRows {
        CommonRows(
            layers: first..<first + layers.count,
            rows: layers.map { heads in
                heads.map { rows in
                    SomeRows(
                        rows: DraftRows(rows, Array(0..<UInt32(rows.count))),
                        entries: Array(0..<rows.count))
                }
            }, counts: layers[0].map(\.count), dim: layers[0][0].dim, kernels: kernels,
            allocator: Allocator(), workers: .caller)
    }

    static func doubles(_ layers: [[Rows]]) -> MiniCacheReference.Side {
        layers.map { $0.map { $0.doubles(Array(0..<$0.count)) } }
    }

    @Test func pairsBeginBehindTheShareOfLayers() throws {
        func groups(_ layers: Int, _ arguments: String = "") throws -> [Range<Int>] {
            try Self.sharer(arguments, as: MiniCache.self).groups(layers: layers)
        }
        #expect(try groups(4) == [0..<1, 1..<2, 2..<4])
        #expect(try groups(5) == [0..<1, 1..<2, 2..<3, 3..<5])
        #expect(try groups(7) == [0..<1, 1..<2, 2..<3, 3..<4, 4..<6, 6..<7])
        #expect(try groups(1) == [0..<1])
        #expect(try groups(5, "from=0%") == [0..<2, 2..<4, 4..<5])
        #expect(try groups(3, "from=100%") == [0..<1, 1..<2, 2..<3])
        #expect(try groups(3, "from=0.0001%") == [0..<1, 1..<3])
        let xkv = try Self.sharer("layers=3", as: XKV.self)
        #expect(xkv.groups(layers: 7) == [0..<3, 3..<6, 6..<7])
        #expect(xkv.groups(layers: 2) == [0..<2])
    }

    @Test(arguments: [true, false]) func retentionAndDirectionsFollowThePaper(perHead: Bool) throws
    {
        for seed in 0..<20 {
            var random = Seeded(seed)
            let shape = AlikeCache(
                seed: seed, layers: 2, kvHeads: random.int(1...3), tokens: random.int(1...80),
                dim: random.pick([12, 17, 32, 33]))
            let cache = try shape.make()
            let keys = cache.layers.map(\.keys), values = cache.layers.map(\.values)
            let t = Double(random.int(0...10)) / 10, retain = Double(random.int(0...40)) / 100
            let sharer: MiniCache = try Self.sharer(
                "interpolation=\(t), retain=\(Int(retain * 100))%, rows=\(perHead ? "head" : "layer")"
            )
            let reference = MiniCacheReference(interpolation: t, retain: retain, perHead: perHead)
            let expected = reference.merge(
                keys: Self.doubles(keys), values: Self.doubles(values))
            var remarks: [String] = []
            let retained = try #require(
                sharer.retained(Self.common(keys, from: 6), remarks: &remarks))
            #expect(retained == expected.retained, "\(shape)")
            let cosines = reference.cosines(Self.doubles(keys))
            let mean = cosines.reduce(0, +) / Double(cosines.count)
            let told = try #require(
                remarks.first?.split(separator: " ").last.flatMap { Double($0) })
            #expect(remarks.count == 1 && remarks[0].hasPrefix("layers 6 to 7: "))
            #expect(abs(told - mean) <= 0.00051)
            for (side, rows, restored) in [
                (Side.keys, keys, expected.keys), (.values, values, expected.values),
            ] {
                let shared = try #require(sharer.shared(side, Self.common(rows)))
                let norms = try #require(shared.norms), directions = shared.rows.map { $0.floats() }
                #expect(shared.dim == shape.dim && shared.bases == nil)
                for layer in 0..<2 {
                    for head in 0..<shape.kvHeads {
                        #expect(
                            perHead || norms[layer][head] === norms[layer][0],
                            "one buffer says that the norms are those of whole rows")
                        for token in 0..<shape.tokens where !expected.retained[head][token] {
                            let norm = Double(norms[layer][head][token])
                            let difference = (0..<shape.dim).reduce(0.0) { sum, place in
                                let direction = directions[head][token][place]
                                let error =
                                    norm * Double(direction) - restored[layer][head][token][place]
                                return sum + error * error
                            }
                            #expect(difference.squareRoot() <= 1e-5 * norm, "\(shape), \(token)")
                        }
                    }
                }
            }
        }
    }

    @Test func nothingAndEverythingIsRetained() throws {
        let cache = try AlikeCache(layers: 2, tokens: 40).make()
        let keys = Self.common(cache.layers.map(\.keys))
        func count(_ arguments: String) throws -> Int {
            var remarks: [String] = []
            let retained = try Self.sharer(arguments, as: MiniCache.self).retained(
                keys, remarks: &remarks)
            return retained.map { $0[0].count { $0 } } ?? -1
        }
        #expect(try count("retain=0%") == 0)
        #expect(try count("retain=100%") == 39, "the nearest pair is not above the least angle")
        // A token in eight has a cosine of 0 and the others one of 0.6.
        #expect(try (1...5).contains(count("retain=0.0001%")))
        #expect(try count("retain=25%") == 5)
        #expect(try count("similarity=0.9") == -1)
        #expect(try count("similarity=0.5, retain=0%") == 0)
        var remarks: [String] = []
        _ = try Self.sharer("similarity=0.9", as: MiniCache.self).retained(keys, remarks: &remarks)
        #expect(remarks.first?.hasSuffix("is below similarity=0.9: nothing is shared") == true)
    }

    /// Rows of zeros, opposite rows, equal rows, and norms that no half holds.
    @Test func extremeRows() throws {
        let upper: [Float] = [0, 0, 3, 4, 1, 2, 0, 0, 60000, 60000, 1e-20, 0]
        let lower: [Float] = [0, 5, 0, 0, -1, -2, 0, 0, 1, 1, 3, 0]
        let rows = Self.common([[Rows(lower, dim: 2)], [Rows(upper, dim: 2)]])
        let sharer: MiniCache = try Self.sharer("retain=0%")
        var remarks: [String] = []
        let retained = try #require(sharer.retained(rows, remarks: &remarks))
        #expect(retained == [[false, false, false, false, true, false]])
        #expect(sharer.shared(.keys, rows) == nil, "a norm of 84853 does not fit a half")
        let first = Self.common([
            [Rows(Array(lower[..<8]), dim: 2)], [Rows(Array(upper[..<8]), dim: 2)],
        ])
        let shared = try #require(sharer.shared(.keys, first))
        let directions = Array(shared.rows[0].floats().joined())
        #expect(directions[0..<2] == [0, 1], "the lower row's, as the upper one is zeros")
        #expect(abs(directions[2] - 0.6) < 1e-6 && abs(directions[3] - 0.8) < 1e-6)
        #expect(directions[4] > 0 && directions[5] > 0, "of opposite rows the nearer one's")
        #expect(directions[6..<8] == [0, 0])
        #expect((0..<4).map { shared.norms![0][0][$0] } == [5, 0, Float(5).squareRoot(), 0])
    }

    // MARK: xKV

    /// The squared singular values of a matrix, largest first, by Jacobi's rotations of its Gram matrix.
    static func energies(_ rows: [[Double]]) -> [Double] {
        let n = rows[0].count
        var a = (0..<n).map { i in (0..<n).map { j in rows.reduce(0) { $0 + $1[i] * $1[j] } } }
        for _ in 0..<30 {
            for p in 0..<n {
                for q in p + 1..<max(n, p + 1) where abs(a[p][q]) > 1e-14 {
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let t = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot(), s = t * c
                    for k in 0..<n {
                        (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q])
                    }
                    for k in 0..<n {
                        (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k])
                    }
                }
            }
        }
        return (0..<n).map { a[$0][$0] }.sorted(by: >)
    }

    /// Rows of all layers and heads side by side.
    static func sideBySide(_ layers: [[Rows]]) -> [[Double]] {
        (0..<layers[0][0].count).map { token in
            layers.flatMap { $0.flatMap { $0.row(token).map(Double.init) } }
        }
    }

    /// Fewer tokens than columns and more, any rank: the error is that of the best approximation.
    @Test(arguments: [3, 12, 24, 50]) func xkvIsTheBestApproximation(tokens: Int) throws {
        let shape = AlikeCache(seed: tokens, layers: 2, tokens: tokens, dim: 6)
        let values = try shape.make().layers.map(\.values)
        let matrix = Self.sideBySide(values), energies = Self.energies(matrix)
        let all = energies.reduce(0, +)
        for rank in [1, 2, 5, 11, 24, 1000] {
            let sharer: XKV = try Self.sharer("rank=\(rank)")
            let shared = try #require(sharer.shared(.values, Self.common(values)))
            let kept = min(rank, tokens, 24)
            #expect(shared.dim == kept && shared.rows.count == 1 && shared.norms == nil)
            let bases = try #require(shared.bases), coefficients = shared.rows[0].floats()
            var error = 0.0
            for (token, row) in matrix.enumerated() {
                for layer in 0..<2 {
                    for head in 0..<2 {
                        let basis = bases[layer][head]
                        #expect(basis.rank == kept && basis.dim == 6)
                        let numbers = Rows(
                            storage: basis.storage, byteOffset: 0, format: .f16, count: kept, dim: 6
                        ).doubles(Array(0..<kept))
                        for place in 0..<6 {
                            let restored = (0..<kept).reduce(0.0) {
                                $0 + Double(coefficients[token][$1]) * numbers[$1][place]
                            }
                            let exact = row[(layer * 2 + head) * 6 + place]
                            error += (restored - exact) * (restored - exact)
                        }
                    }
                }
            }
            let best = energies.dropFirst(kept).reduce(0, +)
            // Halves of the basis are good to 2^-11.
            #expect(error / all <= best / all + 1e-5 && error / all >= best / all - 1e-5)
        }
    }

    @Test func xkvRankByEnergy() throws {
        let values = try AlikeCache(seed: 3, layers: 3, tokens: 60, dim: 6).make().layers.map(
            \.values)
        let energies = Self.energies(Self.sideBySide(values))
        for percent in [1, 50, 90, 99] {
            let sharer: XKV = try Self.sharer("layers=3, rank=\(percent)%")
            let wanted = energies.reduce(0, +) * Double(percent) / 100
            var sum = 0.0
            let rank = energies.firstIndex { energy in
                sum += energy
                return sum >= wanted
            }
            #expect(sharer.shared(.values, Self.common(values))?.dim == rank.map { $0 + 1 })
        }
    }

    @Test func xkvLeavesKeysAloneAndSurvivesExtremes() throws {
        let sharer: XKV = try Self.sharer("")
        let cache = try AlikeCache(layers: 2, tokens: 10).make()
        #expect(sharer.shared(.keys, Self.common(cache.layers.map(\.keys))) == nil)
        var remarks: [String] = []
        let retained = sharer.retained(Self.common(cache.layers.map(\.keys)), remarks: &remarks)
        #expect(retained == [[Bool]](repeating: .init(repeating: false, count: 10), count: 2))
        for number: Float in [0, 1e-30, 1, 60000, 1e30, .greatestFiniteMagnitude] {
            let rows = Rows([Float](repeating: number, count: 12), dim: 4)
            let shared = sharer.shared(.values, Self.common([[rows], [rows]]))
            #expect((shared == nil) == (number > 1000), "\(number)")
            #expect(shared?.rows[0].floats().joined().allSatisfy(\.isFinite) != false)
        }
    }
}
