import CKVKernels
import Testing

/// Integer scores and sums of quantized rows against exact attention over the decoded rows.
@Suite struct QuantizedAttentionTests {
    @Test(arguments: QuantizedFormat.all.filter { !$0.values })
    func scoresAreThoseOfDecodedKeys(format: QuantizedFormat) {
        var random = Random(40)
        for _ in 0..<25 {
            let (keys, dim, group) = QuantizeTests.draw(format, &random)
            let encoded = QuantizedRows(keys, format: format, dim: dim, group: group)
            let decoded = encoded.decoded()
            let rows = random.int(1...16)
            let queries = random.normals(rows * dim)
            let start = 16 * random.int(0...(encoded.n - 1) / 16)
            let count = min(random.int(1...64), encoded.n - start)
            let logits = encoded.score(queries, rows: rows, from: start, count: count)
            for r in 0..<rows {
                let query = queries.row(r, dim)
                for i in 0..<count {
                    let t = start + i
                    // What is rounded to fixed point: the query, per channel times the scales.
                    let folded = query.enumerated().map { c, x in
                        abs(Double(x)) * (format.perChannel ? encoded.scale(t, c) : 1)
                    }
                    let halfStep = folded.max()! / 32512 * 0.51
                    var bound = 1e-40
                    for (c, x) in query.enumerated() {
                        let code = Double(abs(encoded.centred(t, c)))
                        let (scale, middle) = (encoded.scale(t, c), abs(encoded.middle(t, c)))
                        bound += halfStep * code * (format.perChannel ? 1 : scale)
                        bound += 2e-6 * abs(Double(x)) * (code * scale + middle)
                        // Per token the middle meets the rounded query as well.
                        bound += format.perChannel ? 0 : halfStep * middle
                    }
                    let expected = Reference.dot(query, decoded.row(t, dim))
                    #expect(abs(Double(logits[r * count + i]) - expected) <= bound)
                }
            }
        }
    }

    @Test(arguments: QuantizedFormat.all.filter(\.values))
    func sumsAreThoseOfDecodedValues(format: QuantizedFormat) {
        var random = Random(41)
        for _ in 0..<25 {
            let (values, dim, group) = QuantizeTests.draw(format, &random)
            let encoded = QuantizedRows(values, format: format, dim: dim, group: group)
            let decoded = encoded.decoded()
            let rows = random.int(1...8)
            let start = 16 * random.int(0...(encoded.n - 1) / 16)
            let count = min(random.int(1...64), encoded.n - start)
            let kept = (0..<count).filter { _ in random.chance(60) }
            let weights = (0..<rows * count).map {
                kept.contains($0 % count) ? random.unit().magnitude : 0
            }
            let rescale = (0..<rows).map { _ in random.unit().magnitude }
            let before = random.normals(rows * dim)
            var (whole, listed) = (before, before)
            encoded.accumulate(
                into: &whole,
                rescale: rescale,
                weights: weights,
                from: start,
                count: count
            )
            encoded.accumulate(
                into: &listed,
                rescale: rescale,
                weights: weights,
                from: start,
                count: count,
                indices: kept.map(UInt32.init)
            )
            #expect(zip(whole, listed).allSatisfy { $0 == $1 })

            for r in 0..<rows {
                let row = Array(weights.row(r, count))
                for c in 0..<dim {
                    let rest = Double(before[r * dim + c]) * Double(rescale[r])
                    var (expected, reach, top, codes, middles) = (rest, abs(rest), 0.0, 0.0, 0.0)
                    for i in 0..<count {
                        let (t, w) = (start + i, Double(row[i]))
                        expected += w * Double(decoded[t * dim + c])
                        // The weight is rounded to fixed point, per token times the group's scale, in
                        // steps of the block's largest.
                        let code = Double(abs(encoded.centred(t, c)))
                        top = max(top, w * (format.perChannel ? 1 : encoded.scale(t, c)))
                        codes += code * (format.perChannel ? encoded.scale(t, c) : 1)
                        middles += w * abs(encoded.middle(t, c))
                        reach += w * code * encoded.scale(t, c)
                    }
                    let bound = 0.51 * top / 32512 * codes + 2e-6 * (reach + middles) + 1e-28
                    #expect(abs(Double(whole[r * dim + c]) - expected) <= bound)
                }
            }
        }
    }

    /// The accuracy contract: attention on the codes is attention on what they stand for.
    @Test(arguments: QuantizedFormat.all.filter { !$0.values }, [8, 64, 80, 128])
    func attentionIsWithinTheContract(format: QuantizedFormat, dim: Int) {
        var random = Random(42)
        var worst = 0.0
        for group in [32, 64, 128] {
            let (rows, n) = (4, 128 * random.int(2...5))
            var valueFormat = format
            valueFormat.values = true
            let keys = QuantizedRows(
                random.keys(n, dim: dim),
                format: format,
                dim: dim,
                group: group
            )
            let values = QuantizedRows(
                random.keys(n, dim: dim),
                format: valueFormat,
                dim: dim,
                group: group
            )
            let queries = random.normals(rows * dim)
            let scale = 1 / Float(dim).squareRoot()

            var state = KernelState(rows: rows, dim: dim)
            for start in Swift.stride(from: 0, to: n, by: 64) {
                var logits = keys.score(queries, rows: rows, from: start, count: 64)
                let rescale = state.weigh(&logits, n: 64, scale: scale)
                values.accumulate(
                    into: &state.accumulator,
                    rescale: rescale,
                    weights: logits,
                    from: start,
                    count: 64
                )
            }
            let output = state.output()
            for r in 0..<rows {
                let expected = Reference.attend(
                    queries.row(r, dim),
                    keys: keys.decoded(),
                    values: values.decoded(),
                    softmax: .init(scale: Double(scale))
                )
                worst = max(worst, relativeError(output.row(r, dim), expected))
            }
        }
        print("\(format.testDescription), dim \(dim): worst relative error of attention \(worst)")
        #expect(worst < 1e-3)
    }
}
