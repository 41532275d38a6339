import CKVKernels
import Foundation
import Testing

/// Scalar merge/ against the references.
@Suite struct MergeTests {
    @Test func squaredDistances() {
        var random = Random(1)
        for _ in 0..<100 {
            let (dim, count) = (random.dim(), random.int(1...9))
            let stride = dim + random.int(0...9)
            let rows = random.normals(count * stride, scale: 3)
            let pivot = random.int(0...count - 1)
            let row = Array(rows.row(pivot, dim, stride: stride))
            var distances = [Float](repeating: 7, count: count)
            kv_squared_distances(.scalar, &distances, rows, stride, count, row, dim)
            for i in 0..<count {
                let expected = Reference.squaredDistance(rows.row(i, dim, stride: stride), row)
                let bound = Reference.treeBound(dim, magnitudes: expected)
                #expect(abs(Double(distances[i]) - expected) <= bound)
            }
            #expect(distances[pivot].bitPattern == 0, "a row is at no distance from itself")
        }
    }

    @Test func sumsOfNeighbouringRows() {
        var random = Random(5)
        for _ in 0..<100 {
            let (dim, count) = (random.dim(), random.int(1...9))
            let stride = dim + random.int(0...9)
            var ends: [UInt32] = []
            for _ in 0..<count { ends.append((ends.last ?? 0) + UInt32(random.int(0...4))) }
            let total = Int(ends[count - 1])
            let rows = random.normals(max(1, total) * stride, scale: 3)
            let weights = random.normals(max(1, total), scale: 1)
            var sums = [Float](repeating: 7, count: count * dim)
            kv_mix_rows(.scalar, &sums, rows, stride, weights, ends, count, dim)
            var first = 0
            for e in 0..<count {
                for c in 0..<dim {
                    let terms = (first..<Int(ends[e])).map {
                        Double(weights[$0]) * Double(rows[$0 * stride + c])
                    }
                    let bound = terms.reduce(1e-30) { $0 + abs($1) } * 4 * Reference.epsilon
                    #expect(abs(Double(sums[e * dim + c]) - terms.reduce(0, +)) <= bound)
                }
                first = Int(ends[e])
            }
        }
    }

    @Test func theNearestIsTheFirstOfTheLargest() {
        var random = Random(2)
        for _ in 0..<300 {
            let (rows, n) = (random.int(0...5), random.int(1...90))
            let ties = random.chance(50)
            func number() -> Float { ties ? Float(random.int(-2...2)) : random.normal() }
            let logits = (0..<rows * n).map { _ in number() }
            let factors = (0..<n).map { _ in number() }
            var nearest = [UInt32](repeating: 7, count: rows)
            var largest = [Float](repeating: 7, count: rows)
            kv_find_nearest(.scalar, &nearest, &largest, logits, n, rows, n, factors)
            for r in 0..<rows {
                let (index, product) = Reference.nearest(logits.row(r, n), factors)
                #expect(nearest[r] == index && largest[r] == product)
            }
        }
    }

    @Test func whatIsNoNumberIsNotNearest() {
        var nearest: UInt32 = 7
        var largest: Float = 7
        kv_find_nearest(.scalar, &nearest, &largest, [.nan, -3, .nan], 3, 1, 3, [1, 1, 1])
        #expect(nearest == 1 && largest == -3)
        kv_find_nearest(.scalar, &nearest, &largest, [.nan, -.infinity], 2, 1, 2, [1, 1])
        #expect(nearest == 0 && largest == -.infinity)
    }

    @Test func exponentialsAndLogarithms() {
        var random = Random(3)
        let x = (0..<1000).map { _ in 80 * random.unit() }
        var powers = [Float](repeating: 0, count: x.count)
        kv_exponentials(.scalar, &powers, x, x.count)
        var back = [Float](repeating: 0, count: x.count)
        kv_logarithms(.scalar, &back, powers, x.count)
        for i in x.indices {
            let expected = exp(Double(x[i]))
            #expect(abs(Double(powers[i]) - expected) <= 3 * Reference.epsilon * expected)
            let logarithm = log(Double(powers[i]))
            #expect(
                abs(Double(back[i]) - logarithm)
                    <= max(1e-7, 2 * Reference.epsilon * abs(logarithm)))
        }
        var edges = [Float](repeating: 7, count: 4)
        kv_exponentials(.scalar, &edges, [0, -0.0, -87.1, .nan], 4)
        #expect(edges == [1, 1, 0, 0])
    }

    @Test func logarithmsOfCountsInPlace() {
        var logarithms = (0...UInt16.max).map(Float.init)
        logarithms.withUnsafeMutableBufferPointer {
            kv_logarithms(.scalar, $0.baseAddress, $0.baseAddress, $0.count)
        }
        #expect(logarithms[0] == -.infinity && logarithms[1] == 0)
        for count in 2..<logarithms.count {
            let exact = log(Double(count))
            #expect(abs(Double(logarithms[count]) - exact) <= 1.2e-7 * max(1, exact))
        }
    }
}
