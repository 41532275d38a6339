import CKVKernels

extension QuantizedRows {
    /// Encodes with the scalar kernel.
    ///
    /// Per channel, the count of rows is a multiple of the group.
    init(_ rows: [Float], format: QuantizedFormat, dim: Int, group: Int) {
        let n = rows.count / dim
        let planes = format.perChannel ? n / group * dim : 0
        self.init(
            format: format,
            dim: dim,
            group: group,
            n: n,
            tiles: .init(
                repeating: 0xee,
                count: (n + 15) / 16 * format.tileBytes(dim: dim, group: group)
            ),
            scales: .init(repeating: 0xeeee, count: planes),
            zeros: .init(repeating: 0xeeee, count: format.asymmetric ? planes : 0)
        )
        let encode = [8: kv_encode_q8, 4: kv_encode_q4, 3: kv_encode_q3, 2: kv_encode_q2][
            format.bits]!
        let perChannel = format.perChannel
        scales.withUnsafeMutableBufferPointer { scales in
            zeros.withUnsafeMutableBufferPointer { zeros in
                encode(
                    .scalar,
                    &tiles,
                    perChannel ? scales.baseAddress : nil,
                    perChannel && format.asymmetric ? zeros.baseAddress : nil,
                    rows,
                    dim,
                    n,
                    format.quantizer(dim: dim, group: group)
                )
            }
        }
    }

    /// Gives `body` what a kernel wants to know of the entries from `start`, a tile boundary: tiles,
    /// scales, zeros, and the place of `start` in its channel group.
    func withEntries<R>(
        from start: Int,
        _ body: (UnsafePointer<UInt8>?, UnsafePointer<UInt16>?, UnsafePointer<UInt16>?, Int) -> R
    ) -> R {
        tiles.withUnsafeBufferPointer { tiles in
            scales.withUnsafeBufferPointer { scales in
                zeros.withUnsafeBufferPointer { zeros in
                    let tile = tiles.baseAddress! + start / 16 * tileBytes
                    let plane = start / group * dim
                    return body(
                        tile,
                        format.perChannel ? scales.baseAddress! + plane : nil,
                        format.perChannel && format.asymmetric ? zeros.baseAddress! + plane : nil,
                        format.perChannel ? start % group : 0
                    )
                }
            }
        }
    }

    func decodedByKernel(from start: Int = 0, count: Int? = nil) -> [Float] {
        let count = count ?? n - start
        var rows = [Float](repeating: 0, count: count * dim)
        let decode = [8: kv_decode_q8, 4: kv_decode_q4, 3: kv_decode_q3, 2: kv_decode_q2][
            format.bits]!
        guard n > 0 else { return rows }
        withEntries(from: start) { tiles, scales, zeros, first in
            decode(.scalar, &rows, tiles, scales, zeros, first, count, quantizer)
        }
        return rows
    }

    /// Logits of `count` entries from `start`, packed.
    func score(_ queries: [Float], rows: Int, from start: Int, count: Int) -> [Float] {
        var logits = [Float](repeating: 0, count: rows * count)
        let score = [8: kv_score_q8, 4: kv_score_q4, 3: kv_score_q3, 2: kv_score_q2][format.bits]!
        withEntries(from: start) { tiles, scales, zeros, first in
            if format.perChannel {
                score(
                    .scalar,
                    &logits,
                    count,
                    queries,
                    rows,
                    tiles,
                    scales,
                    zeros,
                    first,
                    count,
                    quantizer
                )
            } else {
                let prepared = Self.prepare(queries, rows: rows, dim: dim, group: group)
                score(
                    .scalar,
                    &logits,
                    count,
                    prepared,
                    rows,
                    tiles,
                    scales,
                    zeros,
                    first,
                    count,
                    quantizer
                )
            }
        }
        return logits
    }

    func accumulate(
        into accumulator: inout [Float],
        rescale: [Float],
        weights: [Float],
        from start: Int,
        count: Int,
        indices: [UInt32]? = nil
    ) {
        let accumulate = [
            8: kv_accumulate_q8, 4: kv_accumulate_q4, 3: kv_accumulate_q3, 2: kv_accumulate_q2,
        ][format.bits]!
        withEntries(from: start) { tiles, scales, zeros, first in
            accumulate(
                .scalar,
                &accumulator,
                rescale,
                rescale.count,
                weights,
                count,
                tiles,
                scales,
                zeros,
                first,
                count,
                indices,
                indices?.count ?? 0,
                quantizer
            )
        }
    }

    static func prepare(_ queries: [Float], rows: Int, dim: Int, group: Int) -> [UInt8] {
        var prepared = [UInt8](repeating: 0xee, count: rows * kv_prepared_bytes(dim, group))
        kv_prepare_queries(.scalar, &prepared, queries, rows, dim, group)
        return prepared
    }
}
