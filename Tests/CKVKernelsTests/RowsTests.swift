import CKVKernels
import Foundation
import Testing

/// Scalar rows/ against the references.
@Suite struct RowsTests {
    typealias Widen =
        @Sendable (kv_isa, UnsafeMutablePointer<Float>?, UnsafePointer<UInt16>?, Int) -> Void
    typealias Narrow =
        @Sendable (kv_isa, UnsafeMutablePointer<UInt16>?, UnsafePointer<Float>?, Int) -> Void

    @Test func everyHalfWidensExactly() {
        let patterns = (0...UInt16.max).map { $0 }
        for (format, convert) in [
            (SmallFloat.f16, kv_convert_f16_f32 as Widen), (.bf16, kv_convert_bf16_f32),
        ] {
            var floats = [Float](repeating: 1, count: patterns.count)
            convert(.scalar, &floats, patterns, patterns.count)
            let wrong = patterns.filter {
                let expected = Float(format.value($0))
                let got = floats[Int($0)]
                return expected.isNaN ? !got.isNaN : got.bitPattern != expected.bitPattern
            }
            #expect(wrong.isEmpty, "\(wrong.prefix(4)) of \(format)")
        }
    }

    @Test func narrowingRoundsToNearestEven() {
        var random = Random(1)
        for (format, narrow) in [
            (SmallFloat.f16, kv_convert_f32_f16 as Narrow), (.bf16, kv_convert_f32_bf16),
        ] {
            // All values of the format, all ties between neighbours, and their float neighbours.
            var floats: [Float] = [0, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude]
            floats += [65504, 65519.996, 65520, 65536, .leastNonzeroMagnitude]
            for bits in (0...UInt16.max) {
                let here = format.value(bits)
                let next = format.value(bits &+ 1)
                guard here.isFinite, next.isFinite else { continue }
                for x in [Float(here), Float((here + next) / 2)] {
                    floats += [x, x.nextUp, x.nextDown]
                }
            }
            floats += (0..<10000).map { _ in
                Float(bitPattern: UInt32.random(in: 0...(.max), using: &random))
            }
            floats.removeAll { $0.isNaN }
            var halves = [UInt16](repeating: 0, count: floats.count)
            narrow(.scalar, &halves, floats, floats.count)
            let wrong = floats.indices.filter { halves[$0] != format.nearest(floats[$0]) }
            #expect(wrong.isEmpty, "\(wrong.prefix(4).map { floats[$0] }) of \(format)")

            var nan: UInt16 = 0
            narrow(.scalar, &nan, [.nan], 1)
            #expect(format.value(nan).isNaN)
        }
    }

    @Test func gathersRows() {
        var random = Random(2)
        for _ in 0..<100 {
            let (rows, width) = (random.int(1...30), random.int(0...70))
            let stride = width + random.int(0...9)
            let source = (0..<rows * stride).map { _ in UInt8.random(in: 0...255, using: &random) }
            let indices = (0..<random.int(0...40)).map { _ in UInt32(random.int(0...rows - 1)) }
            var out = [UInt8](repeating: 0, count: indices.count * width)
            kv_gather_rows(.scalar, &out, source, stride, indices, indices.count, width)
            #expect(out == indices.flatMap { source[Int($0) * stride..<Int($0) * stride + width] })
        }
    }

    @Test func findsTheFirstBeyond() {
        var random = Random(3)
        for _ in 0..<300 {
            var source = random.normals(random.int(0...90))
            for beyond in [Float.nan, .infinity, -.infinity, 1e9, -65505, 65504]
            where random.chance(20) {
                if let at = source.indices.randomElement(using: &random) { source[at] = beyond }
            }
            let expected =
                source.firstIndex { !$0.isFinite || $0.magnitude > 65504 } ?? source.count
            #expect(kv_find_beyond(.scalar, source, source.count, 65504) == expected)
        }
    }

    @Test func normsAndNeighbourDots() {
        var random = Random(4)
        for _ in 0..<100 {
            let (dim, count) = (random.dim(), random.int(0...9))
            let stride = dim + random.int(0...9)
            let rows = random.normals(count * stride, scale: 3)
            var norms = [Float](repeating: 0, count: count)
            var dots = [Float](repeating: 7, count: count)
            kv_norm_rows(.scalar, &norms, rows, stride, count, dim)
            kv_dot_adjacent(.scalar, &dots, rows, stride, count, dim)
            for i in 0..<count {
                let row = rows.row(i, dim, stride: stride)
                let expected = Reference.dot(row, row).squareRoot()
                let bound = Reference.treeBound(dim, magnitudes: expected)
                #expect(abs(Double(norms[i]) - expected) <= bound)
                guard i + 1 < count else {
                    #expect(dots[i] == 7, "there is no neighbour after the last row")
                    continue
                }
                let next = rows.row(i + 1, dim, stride: stride)
                let magnitudes = Reference.magnitudes(row, next)
                #expect(
                    abs(Double(dots[i]) - Reference.dot(row, next))
                        <= Reference.treeBound(dim, magnitudes: magnitudes)
                )
            }
        }
    }

    @Test func channelRangesAndSpreads() {
        var random = Random(6)
        for _ in 0..<100 {
            let (dim, count) = (random.dim(), random.int(1...9))
            let stride = dim + random.int(0...9)
            let rows = random.normals(count * stride, scale: 3)
            let offset = random.normals(dim), factor = random.normals(dim)
            var low = [Float](repeating: 0, count: dim), high = low
            var spreads = [Float](repeating: 0, count: count)
            kv_channel_ranges(.scalar, &low, &high, rows, stride, count, dim)
            kv_spread_rows(.scalar, &spreads, rows, stride, count, dim, offset, factor)
            for c in 0..<dim {
                let column = (0..<count).map { rows[$0 * stride + c] }
                #expect(low[c] == column.min() && high[c] == column.max())
            }
            for i in 0..<count {
                let x = (0..<dim).map {
                    (Double(rows[i * stride + $0]) - Double(offset[$0])) * Double(factor[$0])
                }
                let mean = x.reduce(0, +) / Double(dim)
                let squares = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                let expected = dim > 1 ? (squares / Double(dim - 1)).squareRoot() : 0
                #expect(abs(Double(spreads[i]) - expected) <= 1e-5 * max(1, expected))
            }
        }
    }

    @Test(arguments: Array(1...40) + [63, 64, 65, 80, 96, 127, 128, 256, 1023, 1024])
    func hadamardIsItsMatrixAnIsometryAndItsOwnInverse(dim: Int) {
        var random = Random(5 + UInt64(dim))
        let row = random.keys(1, dim: dim)
        var rotated = [Float](repeating: 7, count: dim)
        kv_hadamard(.scalar, &rotated, row, dim, 1, dim)
        let expected = Reference.hadamard(row)
        for block in Reference.hadamardBlocks(dim) {
            let reach =
                row[block].reduce(0) { $0 + Double($1.magnitude) }
                / Double(block.count).squareRoot()
            for i in block {
                #expect(abs(Double(rotated[i]) - expected[i]) <= 12 * Reference.epsilon * reach)
            }
        }
        let length = Reference.dot(row, row).squareRoot()
        #expect(abs(Reference.dot(rotated, rotated).squareRoot() - length) <= 2e-6 * length)
        rotated.withUnsafeMutableBufferPointer {
            kv_hadamard(.scalar, $0.baseAddress!, $0.baseAddress!, dim, 1, dim)
        }
        for i in 0..<dim { #expect(abs(Double(rotated[i]) - Double(row[i])) <= 2e-6 * length) }
    }

    @Test func hadamardOfAZeroDimensionalOrEmptyCacheDoesNothing() {
        var rows: [Float] = [1, 2, 3]
        kv_hadamard(.scalar, &rows, [4, 5, 6], 3, 0, 3)
        #expect(rows == [1, 2, 3])
    }

    /// Positions to the last that there can be, pairs of all kinds, elements behind the pairs.
    @Test func ropeTurnsPairs() {
        var random = Random(6)
        for position in [0, 1, 2, 63, 4095, 131_071, 1_000_000, UInt32(Int32.max)] {
            for pairs in [0, 1, 3, 16, 64, 65] {
                let interleaved = random.int(0...1) == 1, inverse = random.int(0...1) == 1
                let frequencies = (0..<pairs).map {
                    Float(pow(10000, -Double($0) / Double(pairs)))
                }
                let row = random.normals(2 * pairs + random.int(0...3), scale: 2)
                var turned = row
                kv_rope_rows(
                    .scalar, &turned, row.count, 1, [position], frequencies, pairs, interleaved,
                    inverse)
                let expected = Reference.rope(
                    row, position: position, frequencies: frequencies, interleaved: interleaved,
                    inverse: inverse)
                for (x, y) in zip(turned, expected) { #expect(abs(Double(x) - y) < 2e-6) }
                #expect(turned[(2 * pairs)...] == row[(2 * pairs)...])
                kv_rope_rows(
                    .scalar, &turned, row.count, 1, [position], frequencies, pairs, interleaved,
                    !inverse)
                for (x, y) in zip(turned, row) { #expect(abs(x - y) < 4e-6) }
            }
        }
    }
}
