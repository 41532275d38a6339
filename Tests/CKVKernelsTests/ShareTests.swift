import CKVKernels
import Foundation
import Testing

/// Scalar share/ against the references.
@Suite struct ShareTests {
    /// What the kernels make of pairs of packed rows.
    struct Pairs {
        var cosines: [Float]
        var angles: [Float]
        var directions: [Float]

        init(_ x: [Float], _ y: [Float], dim: Int, t: Float) {
            let n = x.count / dim
            let zeros = [Float](repeating: 0, count: n)
            var (xx, yy, xy) = (zeros, zeros, zeros)
            kv_add_pair_dots(.scalar, &xx, &yy, &xy, x, dim, y, dim, n, dim)
            (cosines, angles) = (zeros, zeros)
            kv_pair_angles(.scalar, &cosines, &angles, xx, yy, xy, n)
            var (atX, atY) = (zeros, zeros)
            kv_slerp_weights(.scalar, &atX, &atY, angles, xx, yy, t, n)
            directions = .init(repeating: .nan, count: x.count)
            kv_blend_rows(.scalar, &directions, x, dim, atX, y, dim, atY, n, dim)
        }
    }

    @Test func directionsLieOnTheGreatCircle() {
        var random = Random(50)
        for _ in 0..<100 {
            let (dim, n) = (max(2, random.dim()), random.int(0...9))
            let x = random.normals(n * dim, scale: 3)
            let noise = random.normals(n * dim), like = random.unit()
            let y = zip(x, noise).map { like * $0 + $1 }
            let t = random.unit().magnitude
            let pairs = Pairs(x, y, dim: dim, t: t)
            for i in 0..<n {
                let (a, b) = (Array(x.row(i, dim)), Array(y.row(i, dim)))
                let angle = Reference.angle(a, b)
                // A cosine near 1 is worth half the digits of its angle.
                let slack = 1e-6 + 1e-6 / max(sin(angle), 1e-3)
                #expect(abs(Double(pairs.angles[i]) - angle) < slack)
                #expect(abs(Double(pairs.cosines[i]) - cos(angle)) < 1e-5)
                let exact = Reference.slerp(a, b, t: Double(t))
                let error = relativeError(pairs.directions.row(i, dim), exact)
                #expect(error < 10 * slack / max(sin(angle), 1e-3), "angle \(angle), t \(t)")
            }
        }
    }

    @Test func interpolationBeginsAtTheLowerRowAndEndsAtTheUpper() {
        let x: [Float] = [0, 3], y: [Float] = [5, 0]
        #expect(Pairs(x, y, dim: 2, t: 0).directions == [1, 0])
        #expect(Pairs(x, y, dim: 2, t: 1).directions == [0, 1])
        let most = Pairs(x, y, dim: 2, t: 0.6).directions.map(Double.init)
        #expect(abs(most[0] - sin(0.4 * .pi / 2)) < 1e-6)
        #expect(abs(most[1] - sin(0.6 * .pi / 2)) < 1e-6)
    }

    @Test func everyAngle() {
        for step in 0...3000 {
            let angle = Double(step) / 3000 * .pi
            let x: [Float] = [1, 0], y = [Float(cos(angle)), Float(sin(angle))]
            let pairs = Pairs(x, y, dim: 2, t: 0.6)
            let slack = 1e-6 + 2e-7 / max(sin(angle), 5e-4)
            #expect(abs(Double(pairs.angles[0]) - angle) < slack, "angle \(angle)")
            let length = Reference.dot(pairs.directions, pairs.directions).squareRoot()
            // Two long arrows that nearly cancel magnify the angle's error twice; nobody needs the length.
            let magnified = angle < 2 ? 1 : pow(max(sin(angle), 1e-3), -2)
            #expect(abs(length - 1) < 2e-6 * magnified, "angle \(angle)")
        }
    }

    @Test func tinyAnglesAreLinear() {
        let x: [Float] = [2, 0.0008], y: [Float] = [3, 0]
        let pairs = Pairs(x, y, dim: 2, t: 0.25)
        #expect(abs(pairs.directions[0] - 1) < 1e-6)
        #expect(abs(pairs.directions[1] - 0.0001) < 1e-8)
    }

    @Test func oppositeRowsTakeTheNearerOnesDirection() {
        let x: [Float] = [0, -2], y: [Float] = [0, 4]
        #expect(Pairs(x, y, dim: 2, t: 0.6).directions == [0, -1])
        #expect(Pairs(x, y, dim: 2, t: 0.5).directions == [0, -1])
        #expect(Pairs(x, y, dim: 2, t: 0.4).directions == [0, 1])
        #expect(Pairs(x, y, dim: 2, t: 0.4).cosines == [-1])
    }

    @Test func rowsOfZerosTakeTheOtherOnesDirection() {
        let zero: [Float] = [0, -0.0], row: [Float] = [0, 4]
        for pairs in [Pairs(zero, row, dim: 2, t: 0.6), Pairs(row, zero, dim: 2, t: 0.6)] {
            #expect(pairs.directions == [0, 1])
            #expect(pairs.angles == [0] && pairs.cosines == [1])
        }
        #expect(Pairs(zero, zero, dim: 2, t: 0.6).directions == [0, 0])
        // Too small to square: nothing, rather than noise.
        #expect(Pairs([1e-20, 1e-20], row, dim: 2, t: 0.6).directions == [0, 1])
    }

    @Test func dotsAddUpOverPieces() {
        var random = Random(51)
        let x = random.normals(6 * 40), y = random.normals(6 * 40)
        let starts: [Float] = [1, 2, 3, 4, 5, 6]
        var (xx, yy, xy) = (starts, starts, starts)
        for piece in 0..<4 {
            let x = Array(x[(piece * 10)...]), y = Array(y[(piece * 10)...])
            kv_add_pair_dots(.scalar, &xx, &yy, &xy, x, 40, y, 40, 6, 10)
        }
        for i in 0..<6 {
            for (sums, a, b) in [(xx, x, x), (yy, y, y), (xy, x, y)] {
                let exact = Double(i + 1) + Reference.dot(a.row(i, 40), b.row(i, 40))
                #expect(abs(Double(sums[i]) - exact) < 1e-4)
            }
        }
    }
}
