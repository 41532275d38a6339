import CKVKernels
import Foundation
import Testing

/// Scalar attention/ against the references, and the laws of the fold.
@Suite struct AttentionTests {
    /// Rows as one of the plain formats holds them, with what these bits stand for.
    struct PlainRows {
        let floats: [Float]
        let halves: [UInt16]
    }

    static func rows(_ floats: [Float], as format: SmallFloat?) -> PlainRows {
        guard let format else { return PlainRows(floats: floats, halves: []) }
        let halves = floats.map(format.nearest)
        return PlainRows(floats: halves.map { Float(format.value($0)) }, halves: halves)
    }

    enum Plain: CaseIterable {
        case f32, f16, bf16
        var format: SmallFloat? { self == .f32 ? nil : self == .f16 ? .f16 : .bf16 }
    }

    @Test(arguments: Plain.allCases) func scoresAreDotProducts(plain: Plain) {
        var random = Random(20)
        for _ in 0..<60 {
            let (rows, dim, n) = (random.int(1...16), random.dim(), random.int(0...20))
            let keys = Self.rows(random.keys(n, dim: dim), as: plain.format)
            let queries = random.normals(rows * dim)
            let stride = n + random.int(0...5)
            var logits = [Float](repeating: 0, count: rows * stride)
            switch plain {
            case .f32:
                kv_score_f32(.scalar, &logits, stride, queries, rows, dim, keys.floats, dim, n)
            case .f16:
                kv_score_f16(.scalar, &logits, stride, queries, rows, dim, keys.halves, dim, n)
            case .bf16:
                kv_score_bf16(.scalar, &logits, stride, queries, rows, dim, keys.halves, dim, n)
            }
            for r in 0..<rows {
                for t in 0..<n {
                    let (query, key) = (queries.row(r, dim), keys.floats.row(t, dim))
                    let bound = Reference.treeBound(
                        dim,
                        magnitudes: Reference.magnitudes(query, key)
                    )
                    let got = Double(logits[r * stride + t])
                    #expect(abs(got - Reference.dot(query, key)) <= bound)
                }
            }
        }
    }

    @Test(arguments: Plain.allCases) func accumulatesWeightedValues(plain: Plain) {
        var random = Random(21)
        for _ in 0..<60 {
            let (rows, dim, n) = (random.int(1...16), random.dim(), random.int(0...20))
            let values = Self.rows(random.keys(n, dim: dim), as: plain.format)
            let kept = (0..<n).filter { _ in random.chance(60) }
            // What the index list leaves out has weight 0, so both ways must give the same bits.
            let weights = (0..<rows * n).map { kept.contains($0 % n) ? random.unit().magnitude : 0 }
            let rescale = (0..<rows).map { _ in random.unit().magnitude }
            let start = random.normals(rows * dim)
            var (whole, listed) = (start, start)
            let indices = kept.map(UInt32.init)
            func accumulate(_ out: inout [Float], _ indices: [UInt32]?) {
                let count = indices?.count ?? 0
                switch plain {
                case .f32:
                    kv_accumulate_f32(
                        .scalar,
                        &out,
                        rescale,
                        rows,
                        dim,
                        weights,
                        n,
                        values.floats,
                        dim,
                        n,
                        indices,
                        count
                    )
                case .f16:
                    kv_accumulate_f16(
                        .scalar,
                        &out,
                        rescale,
                        rows,
                        dim,
                        weights,
                        n,
                        values.halves,
                        dim,
                        n,
                        indices,
                        count
                    )
                case .bf16:
                    kv_accumulate_bf16(
                        .scalar,
                        &out,
                        rescale,
                        rows,
                        dim,
                        weights,
                        n,
                        values.halves,
                        dim,
                        n,
                        indices,
                        count
                    )
                }
            }
            accumulate(&whole, nil)
            accumulate(&listed, indices)
            #expect(zip(whole, listed).allSatisfy { $0 == $1 })

            for r in 0..<rows {
                let row = weights.row(r, n)
                let expected = Reference.accumulate(
                    start.row(r, dim).map(Double.init),
                    rescale: Double(rescale[r]),
                    weights: row.map(Double.init),
                    values: values.floats,
                    dim: dim
                )
                for c in 0..<dim {
                    let reach = (0..<n).reduce(Double(start[r * dim + c].magnitude)) {
                        $0
                            + abs(
                                Double(row[row.startIndex + $1])
                                    * Double(values.floats[$1 * dim + c])
                            )
                    }
                    let error = abs(Double(whole[r * dim + c]) - expected[c])
                    #expect(error <= Double(n + 2) * Reference.epsilon * reach)
                }
            }
        }
    }

    @Test func foldIsAnOnlineSoftmax() {
        var random = Random(22)
        for _ in 0..<300 {
            let (rows, n) = (random.int(1...6), random.int(0...191))
            var softmax = Reference.Softmax(scale: Double(0.05 + random.unit().magnitude))
            softmax.scale = Double(Float(softmax.scale))
            if random.chance(30) {
                softmax.softcap = Double(Float(5 + 45 * random.unit().magnitude))
            }
            if random.chance(50) {
                let holes = random.int(0...110)
                softmax.bias = (0..<n).map { _ in
                    random.chance(holes) ? -.infinity : 3 * random.unit()
                }
            }
            if random.chance(30) { softmax.keyScale = (0..<n).map { _ in 1 + random.unit() } }
            if random.chance(30) { softmax.valueScale = (0..<n).map { _ in 1 + random.unit() } }
            let visible = (0..<rows).map { _ in UInt32(random.int(0...n + 1)) }
            let raw = random.normals(rows * n, scale: 8)

            var states = (0..<rows).map { _ in Reference.State(dim: 0) }
            var (maximum, sum): ([Float], [Float]) = ([], [])
            for r in 0..<rows {
                let seen = random.chance(60)
                maximum.append(seen ? 10 * random.unit() : -.infinity)
                sum.append(seen ? 1 + 9 * random.unit().magnitude : 0)
                states[r].maximum = Double(maximum[r])
                states[r].sum = Double(sum[r])
            }
            let (oldMaximum, oldSum) = (maximum, sum)
            var weights = raw
            var rescale = [Float](repeating: 0, count: rows)
            foldKernel(
                &weights,
                n: n,
                visible: visible,
                softmax: softmax,
                maximum: &maximum,
                sum: &sum,
                rescale: &rescale
            )

            for r in 0..<rows {
                let expected = Reference.fold(
                    raw.row(r, n),
                    visible: Int(visible[r]),
                    softmax: softmax,
                    into: &states[r]
                )
                if expected.rescale == 1 && states[r].sum == Double(oldSum[r])
                    && states[r].maximum == Double(oldMaximum[r])
                {
                    // It saw holes only: left as it was, to the bit.
                    #expect(maximum[r].bitPattern == oldMaximum[r].bitPattern)
                    #expect(sum[r].bitPattern == oldSum[r].bitPattern)
                    #expect(rescale[r] == 1 && weights.row(r, n).allSatisfy { $0 == 0 })
                    continue
                }
                // Rounding an exponent of this size moves its exponential by so much, relatively.
                let size = raw.row(r, n).map { abs(Double($0)) * softmax.scale * 2 }.max() ?? 0
                let relative = (size + softmax.softcap + 30) * 6 * Reference.epsilon
                func near(_ got: Float, _ expected: Double) -> Bool {
                    abs(Double(got) - expected) <= relative * abs(expected) + 1e-36
                }
                #expect(abs(Double(maximum[r]) - states[r].maximum) <= relative)
                #expect(near(sum[r], states[r].sum))
                #expect(near(rescale[r], expected.rescale))
                #expect(zip(weights.row(r, n), expected.weights).allSatisfy(near))
            }
        }
    }

    /// Logits finished first are the reference's, and fold to the bits that raw dots fold to.
    @Test func finishedLogitsFoldAlike() {
        var random = Random(29)
        for _ in 0..<200 {
            let (rows, n) = (random.int(1...6), random.int(1...191))
            var softmax = Reference.Softmax(scale: Double(Float(0.05 + random.unit().magnitude)))
            if random.chance(30) { softmax.softcap = 20 }
            if random.chance(50) {
                softmax.bias = (0..<n).map { _ in random.chance(10) ? -.infinity : 3 * random.unit()
                }
            }
            if random.chance(30) { softmax.keyScale = (0..<n).map { _ in 1 + random.unit() } }
            if random.chance(30) { softmax.valueScale = (0..<n).map { _ in 1 + random.unit() } }
            let visible = (0..<rows).map { _ in UInt32(random.int(0...n + 1)) }
            let raw = random.normals(rows * n, scale: 8)

            var finished = raw
            withVectors(of: softmax) { vectors in
                kv_finish_logits(
                    .scalar, &finished, n, rows, n, visible, Float(softmax.scale),
                    Float(softmax.softcap), vectors)
            }
            for r in 0..<rows {
                for t in 0..<n {
                    let expected =
                        t < visible[r] ? softmax.logit(Double(raw[r * n + t]), t) : -.infinity
                    let got = Double(finished[r * n + t])
                    #expect(got == expected || abs(got - expected) <= 1e-5 * (abs(expected) + 10))
                }
            }

            func folded(_ logits: [Float], _ softmax: Reference.Softmax) -> [[Float]] {
                var weights = logits
                var maximum = [Float](repeating: -.infinity, count: rows)
                var sum = [Float](repeating: 0, count: rows), rescale = sum
                foldKernel(
                    &weights, n: n, visible: visible, softmax: softmax, maximum: &maximum,
                    sum: &sum,
                    rescale: &rescale)
                return [weights, maximum, sum, rescale]
            }
            let replay = Reference.Softmax(valueScale: softmax.valueScale)
            #expect(
                folded(finished, replay).map { $0.map(\.bitPattern) }
                    == folded(raw, softmax).map { $0.map(\.bitPattern) })
        }
    }

    /// Attention over n entries cut anywhere, folded in order or merged from parts, is one attention.
    @Test func anySplitGivesTheSameAttention() {
        var random = Random(23)
        var worst = 0.0
        for _ in 0..<40 {
            let (rows, dim, n) = (random.int(1...8), random.dim(), random.int(1...300))
            let queries = random.normals(rows * dim)
            let (keys, values) = (random.keys(n, dim: dim), random.keys(n, dim: dim))
            let scale = 1 / Float(dim).squareRoot()
            let cuts = Array(Set((0..<random.int(0...6)).map { _ in random.int(0...n) } + [0, n]))
                .sorted()

            var folded = KernelState(rows: rows, dim: dim)
            var merged = KernelState(rows: rows, dim: dim)
            for (start, end) in zip(cuts, cuts.dropFirst()) {
                let part = (
                    Array(keys[start * dim..<end * dim]), Array(values[start * dim..<end * dim])
                )
                folded.fold(queries, keys: part.0, values: part.1, scale: scale)
                var alone = KernelState(rows: rows, dim: dim)
                alone.fold(queries, keys: part.0, values: part.1, scale: scale)
                merged.merge(alone)
            }
            let softmax = Reference.Softmax(scale: Double(scale))
            for r in 0..<rows {
                let expected = Reference.attend(
                    queries.row(r, dim),
                    keys: keys,
                    values: values,
                    softmax: softmax
                )
                for state in [folded, merged] {
                    worst = max(worst, relativeError(state.output().row(r, dim), expected))
                }
            }
        }
        print("f32 attention under random splits: worst relative error \(worst)")
        #expect(worst < 2e-5)
    }

    @Test func blocksOfHolesChangeNothing() {
        var random = Random(24)
        let (rows, dim, n) = (4, 40, 64)
        let queries = random.normals(rows * dim)
        let (keys, values) = (random.keys(n, dim: dim), random.keys(n, dim: dim))
        let holes = [Float](repeating: -.infinity, count: n)

        var state = KernelState(rows: rows, dim: dim)
        state.fold(queries, keys: keys, values: values, scale: 0.2, bias: holes)
        #expect(state == KernelState(rows: rows, dim: dim), "an empty state stays empty")
        #expect(state.output().allSatisfy { $0 == 0 })

        state.fold(queries, keys: keys, values: values, scale: 0.2)
        let before = state
        state.fold(queries, keys: keys, values: values, scale: 0.2, bias: holes)
        #expect(state == before)
    }

    @Test func mergeFollowsItsFormulaAndKeepsTheOtherSideOfAnEmptyOne() {
        var random = Random(25)
        for _ in 0..<60 {
            let (rows, dim) = (random.int(1...9), random.dim())
            var (a, b) = (KernelState(rows: rows, dim: dim), KernelState(rows: rows, dim: dim))
            a.randomize(&random)
            b.randomize(&random)
            let (a0, b0) = (a, b)
            a.merge(b)
            for r in 0..<rows {
                let expected = Reference.merge(a0.reference(r), b0.reference(r))
                if a0.maximum[r] == -.infinity || b0.maximum[r] == -.infinity {
                    let other = b0.maximum[r] == -.infinity ? a0 : b0
                    #expect(a.maximum[r].bitPattern == other.maximum[r].bitPattern)
                    #expect(a.sum[r].bitPattern == other.sum[r].bitPattern)
                    #expect(
                        Array(a.accumulator.row(r, dim)).bits
                            == Array(other.accumulator.row(r, dim)).bits
                    )
                    continue
                }
                #expect(Double(a.maximum[r]) == expected.maximum)
                #expect(abs(Double(a.sum[r]) - expected.sum) <= 4e-6 * expected.sum)
                for (c, got) in a.accumulator.row(r, dim).enumerated() {
                    let reach =
                        abs(Double(a0.accumulator[r * dim + c]))
                        + abs(Double(b0.accumulator[r * dim + c]))
                    #expect(abs(Double(got) - expected.accumulator[c]) <= 4e-6 * reach)
                }
            }
            let output = a.output()
            for r in 0..<rows {
                for c in 0..<dim {
                    let expected = a.sum[r] == 0 ? 0 : a.accumulator[r * dim + c] / a.sum[r]
                    #expect(output[r * dim + c] == expected)
                }
            }
        }
    }
}
