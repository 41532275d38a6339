import CKVKernels
import Testing

/// Scalar observe/ against the references.
@Suite struct ObserveTests {
    @Test func reductionsAreThoseOfExactProbabilities() {
        var random = Random(50)
        for _ in 0..<100 {
            let (rows, keys) = (random.int(1...40), random.int(1...150))
            let logits = random.normals(rows * keys, scale: 6)
            let visible = (0..<rows).map { _ in random.int(0...keys) }
            let (scale, threshold) = (0.1 + random.unit().magnitude, random.unit().magnitude)
            let windowStart = random.int(0...rows)

            let zeros = [Float](repeating: 0, count: keys)
            var (sum, windowSum, squares) = (zeros, zeros, zeros)
            var (entropy, below, maximum) = (zeros, zeros, zeros)
            var p = logits
            sum.withUnsafeMutableBufferPointer { sum in
                windowSum.withUnsafeMutableBufferPointer { windowSum in
                    squares.withUnsafeMutableBufferPointer { squares in
                        entropy.withUnsafeMutableBufferPointer { entropy in
                            below.withUnsafeMutableBufferPointer { below in
                                maximum.withUnsafeMutableBufferPointer { maximum in
                                    let observation = kv_observation(
                                        sum: sum.baseAddress,
                                        window_sum: windowSum.baseAddress,
                                        sum_squares: squares.baseAddress,
                                        entropy: entropy.baseAddress,
                                        below: below.baseAddress,
                                        maximum: maximum.baseAddress
                                    )
                                    kv_observe(
                                        .scalar,
                                        observation,
                                        &p,
                                        keys,
                                        rows,
                                        keys,
                                        visible.map(UInt32.init),
                                        scale,
                                        windowStart,
                                        threshold
                                    )
                                }
                            }
                        }
                    }
                }
            }

            let exact = (0..<rows).map {
                Reference.probabilities(
                    logits.row($0, keys),
                    visible: visible[$0],
                    scale: Double(scale)
                )
            }
            for r in 0..<rows {
                for (got, expected) in zip(p.row(r, keys), exact[r]) {
                    #expect(abs(Double(got) - expected) <= 2e-5 * expected + 1e-37)
                }
            }
            let expected = Reference.observe(
                exact,
                visible: visible,
                windowStart: windowStart,
                threshold: Double(threshold)
            )
            for t in 0..<keys {
                let e = expected[t]
                func near(_ got: Float, _ exact: Double) -> Bool {
                    abs(Double(got) - exact) <= 3e-5 * abs(exact) + 1e-30
                }
                #expect(near(sum[t], e.sum) && near(windowSum[t], e.windowSum))
                #expect(near(squares[t], e.sumSquares) && near(maximum[t], e.maximum))
                #expect(abs(Double(entropy[t]) - e.entropy) <= 3e-5 * (e.entropy + e.sum) + 1e-30)
                #expect(Int(below[t]) >= e.below && Int(below[t]) <= e.below + e.undecided)
            }
        }
    }

    /// Row by row or in one call: observations add up.
    @Test func observationsAddUp() {
        var random = Random(51)
        let (rows, keys) = (24, 90)
        let logits = random.normals(rows * keys, scale: 4)
        let visible = (0..<rows).map { UInt32(keys - rows + $0 + 1) }
        var (once, piecewise) = (
            [Float](repeating: 0, count: keys), [Float](repeating: 0, count: keys)
        )
        func observe(_ sum: inout [Float], _ range: Range<Int>) {
            var p = Array(logits[range.lowerBound * keys..<range.upperBound * keys])
            sum.withUnsafeMutableBufferPointer {
                var observation = kv_observation()
                observation.sum = $0.baseAddress
                kv_observe(
                    .scalar,
                    observation,
                    &p,
                    keys,
                    range.count,
                    keys,
                    Array(visible[range]),
                    0.5,
                    0,
                    1
                )
            }
        }
        observe(&once, 0..<rows)
        for r in 0..<rows { observe(&piecewise, r..<r + 1) }
        #expect(once.bits == piecewise.bits)
    }
}
