import CKVKernels
import Testing

/// Scalar quantize/ against the references: the bytes, and the arithmetic on them.
@Suite struct QuantizeTests {
    /// Rows of a random shape that suits the format.
    static func draw(_ format: QuantizedFormat, _ random: inout Random) -> (
        rows: [Float], dim: Int, group: Int
    ) {
        let group = [32, 64, 128].randomElement(using: &random)!
        let dim = random.dim()
        let n = format.perChannel ? group * random.int(1...2) : random.int(1...40)
        return (random.keys(n, dim: dim), dim, group)
    }

    @Test(arguments: QuantizedFormat.all) func sizesAreThoseOfTheFormat(format: QuantizedFormat) {
        let codeBytes = [
            8: kv_code_bytes_q8, 4: kv_code_bytes_q4, 3: kv_code_bytes_q3, 2: kv_code_bytes_q2,
        ][format.bits]!
        let tileBytes = [
            8: kv_tile_bytes_q8, 4: kv_tile_bytes_q4, 3: kv_tile_bytes_q3, 2: kv_tile_bytes_q2,
        ][format.bits]!
        for dim in 1...1024 {
            for group in [32, 64, 128] {
                let quantizer = format.quantizer(dim: dim, group: group)
                #expect(codeBytes(quantizer) == format.codeBytes(dim: dim))
                #expect(tileBytes(quantizer) == format.tileBytes(dim: dim, group: group))
            }
        }
        guard !format.perChannel, !format.asymmetric else { return }
        let bitsPerValue = Double(format.tileBytes(dim: 128, group: 32) * 8) / Double(16 * 128)
        #expect(bitsPerValue == Double(format.bits) + 0.5)
    }

    @Test(arguments: QuantizedFormat.uniform) func errorsStayBelowHalfAStep(format: QuantizedFormat)
    {
        var random = Random(30)
        for _ in 0..<25 {
            let (rows, dim, group) = Self.draw(format, &random)
            let encoded = QuantizedRows(rows, format: format, dim: dim, group: group)
            let decoded = encoded.decoded()
            #expect(encoded.decodedByKernel().bits == decoded.bits, "the header's decoding")

            for members in encoded.groups {
                let (t0, c0) = members[0]
                let x = members.map { Double(rows[$0.token * dim + $0.element]) }
                let (scale, zero) = (encoded.scale(t0, c0), encoded.zero(t0, c0))
                // Scales are rounded up, zeros down, and neither by more than one step of f16.
                let span = format.asymmetric ? x.max()! - zero : x.map(abs).max()!
                let needed = span / Double(format.largest)
                #expect(scale >= needed * (1 - 1e-7) && scale <= needed * 1.001 + 0x1p-24)
                if format.asymmetric {
                    let least = x.min()!
                    #expect(zero <= least && zero >= least - abs(least) * 0.001 - 0x1p-24)
                }
                for (index, member) in members.enumerated() {
                    let code = encoded.code(member.token, member.element)
                    #expect(abs(code) <= format.largest && (code >= 0 || !format.asymmetric))
                    // Half a step, and the roundings of x * (1 / scale) and of the decoded value.
                    let bound =
                        scale / 2 * (1 + 1e-6) + abs(x[index] - zero) * 0x1p-23
                        + abs(x[index]) * 0x1p-24
                    let value = Double(decoded[member.token * dim + member.element])
                    #expect(abs(value - x[index]) <= bound)
                }
            }
        }
    }

    @Test(arguments: QuantizedFormat.all) func codesOfNothingAreZero(format: QuantizedFormat) {
        var random = Random(31)
        for _ in 0..<25 {
            let (rows, dim, group) = Self.draw(format, &random)
            let encoded = QuantizedRows(rows, format: format, dim: dim, group: group)
            var used = [UInt8](repeating: 0, count: encoded.tiles.count)
            for t in 0..<encoded.n {
                for c in 0..<dim {
                    for part in format.parts(token: t % 16, element: c, dim: dim) {
                        let byte = t / 16 * encoded.tileBytes + part.byte
                        let mask = UInt8((1 << part.bits - 1) << part.shift)
                        #expect(used[byte] & mask == 0, "two codes in one place")
                        used[byte] |= mask
                    }
                }
            }
            let codes = format.codeBytes(dim: dim)
            #expect(
                encoded.tiles.indices.allSatisfy {
                    $0 % encoded.tileBytes >= codes || encoded.tiles[$0] & ~used[$0] == 0
                }
            )
        }
    }

    @Test(arguments: QuantizedFormat.uniform.filter { !$0.asymmetric })
    func symmetricEncodingIsIdempotent(format: QuantizedFormat) {
        var random = Random(32)
        for _ in 0..<25 {
            let (rows, dim, group) = Self.draw(format, &random)
            let once = QuantizedRows(rows, format: format, dim: dim, group: group)
            let twice = QuantizedRows(once.decoded(), format: format, dim: dim, group: group)
            #expect(once.tiles == twice.tiles && once.scales == twice.scales)
        }
    }

    /// The scale is the group's root mean square times the step, and codes are of the nearest level.
    @Test(arguments: QuantizedFormat.codebooks) func codesAreOfTheNearestLevel(
        format: QuantizedFormat
    ) {
        var random = Random(35)
        let levels = format.levels!.map(Double.init)
        for _ in 0..<25 {
            let (rows, dim, group) = Self.draw(format, &random)
            let encoded = QuantizedRows(rows, format: format, dim: dim, group: group)
            #expect(encoded.decodedByKernel().bits == encoded.decoded().bits)
            for members in encoded.groups {
                let x = members.map { Double(rows[$0.token * dim + $0.element]) }
                let meanSquare = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
                let wanted = meanSquare.squareRoot() * Double(format.step)
                let scale = encoded.scale(members[0].token, members[0].element)
                #expect(abs(scale - wanted) <= wanted * 0x1p-10 + 0x1p-25)
                for (value, member) in zip(x, members) where scale > 0 {
                    let distances = levels.map { abs($0 * scale - value) }
                    let own = distances[encoded.stored(member.token, member.element)]
                    #expect(own <= distances.min()! + 1e-6 * abs(value))
                }
            }
        }
    }

    @Test(arguments: QuantizedFormat.uniform) func constantsAndZerosSurvive(format: QuantizedFormat)
    {
        for value in [Float(0), 1, -3, 65504, -65504, 1e-30, -1e-30] {
            let rows = [Float](repeating: value, count: 128 * 24)
            let encoded = QuantizedRows(rows, format: format, dim: 24, group: 32)
            let step = encoded.scale(0, 0)
            for x in encoded.decodedByKernel() {
                #expect(
                    abs(Double(x) - Double(value)) <= step / 2 * (1 + 1e-6) + abs(Double(value))
                        * 0x1p-22
                )
            }
            if value == 0 { #expect(encoded.decodedByKernel().allSatisfy { $0 == 0 }) }
        }
    }

    /// Entries may be read from any tile boundary, also inside a channel group.
    @Test(arguments: QuantizedFormat.all) func decodingStartsAtAnyTile(format: QuantizedFormat) {
        var random = Random(33)
        let (dim, n) = (20, 256)
        let encoded = QuantizedRows(random.keys(n, dim: dim), format: format, dim: dim, group: 128)
        let all = encoded.decoded()
        for start in Swift.stride(from: 0, to: n, by: 16) {
            let count = min(random.int(1...64), n - start)
            #expect(
                encoded.decodedByKernel(from: start, count: count)
                    == Array(all[start * dim..<(start + count) * dim])
            )
        }
    }

    @Test func preparedQueriesAreFixedPoint() {
        var random = Random(34)
        for round in 0..<200 {
            let (dim, group) = (random.dim(), [32, 64, 128].randomElement(using: &random)!)
            let tiny = round % 10 == 0
            let query = random.normals(dim, scale: tiny ? 1e-32 : 10)
            let bytes = QuantizedRows.prepare(query, rows: 1, dim: dim, group: group)
            let prepared = PreparedQuery(bytes[...], dim: dim, group: group)
            let largest = query.map(\.magnitude).max()!
            #expect(prepared.rest.allSatisfy { $0 == 0 } && bytes.count % 8 == 0)
            #expect(
                abs(Double(prepared.step) - (tiny ? 0 : Double(largest) / 32512)) <= 1e-7
                    * Double(largest) / 32512
            )
            for c in prepared.q.indices {
                #expect(prepared.q[c] == 256 * prepared.high[c] + prepared.low[c])
                guard c < dim, !tiny else {
                    #expect(prepared.q[c] == 0)
                    continue
                }
                let exact = Double(query[c]) / Double(largest) * 32512
                #expect(
                    abs(prepared.q[c]) <= 127 * 256 && abs(Double(prepared.q[c]) - exact) <= 0.51
                )
            }
            for (g, sum) in prepared.sums.enumerated() {
                #expect(
                    sum
                        == prepared.q[g * group..<min((g + 1) * group, prepared.q.count)].reduce(
                            0,
                            +
                        )
                )
            }
        }
    }
}
