import CKVKernels

// Codes of every width: scored, accumulated, decoded and encoded, per token and per channel.

private func quantizer(_ shape: Shape, values: Bool, perChannel: Bool) -> kv_quantizer {
    var quantizer = kv_quantizer()
    quantizer.dim = UInt32(shape.dim)
    quantizer.group = 32
    quantizer.values = values
    quantizer.per_channel = perChannel
    return quantizer
}

/// The functions for one width.
private struct Width: @unchecked Sendable {
    let bits: Int
    let tileBytes: @convention(c) (kv_quantizer) -> Int
    let score:
        @convention(c) (
            kv_isa, UnsafeMutablePointer<Float>?, Int, UnsafeRawPointer?, Int,
            UnsafePointer<UInt8>?, UnsafePointer<UInt16>?, UnsafePointer<UInt16>?, Int, Int,
            kv_quantizer
        ) -> Void
    let accumulate:
        @convention(c) (
            kv_isa, UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int, UnsafePointer<Float>?,
            Int, UnsafePointer<UInt8>?, UnsafePointer<UInt16>?, UnsafePointer<UInt16>?, Int, Int,
            UnsafePointer<UInt32>?, Int, kv_quantizer
        ) -> Void
    let decode:
        @convention(c) (
            kv_isa, UnsafeMutablePointer<Float>?, UnsafePointer<UInt8>?, UnsafePointer<UInt16>?,
            UnsafePointer<UInt16>?, Int, Int, kv_quantizer
        ) -> Void
    let encode:
        @convention(c) (
            kv_isa, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt16>?,
            UnsafeMutablePointer<UInt16>?, UnsafePointer<Float>?, Int, Int, kv_quantizer
        ) -> Void
}

private let widths = [
    Width(
        bits: 8, tileBytes: kv_tile_bytes_q8, score: kv_score_q8, accumulate: kv_accumulate_q8,
        decode: kv_decode_q8, encode: kv_encode_q8),
    Width(
        bits: 4, tileBytes: kv_tile_bytes_q4, score: kv_score_q4, accumulate: kv_accumulate_q4,
        decode: kv_decode_q4, encode: kv_encode_q4),
    Width(
        bits: 3, tileBytes: kv_tile_bytes_q3, score: kv_score_q3, accumulate: kv_accumulate_q3,
        decode: kv_decode_q3, encode: kv_encode_q3),
    Width(
        bits: 2, tileBytes: kv_tile_bytes_q2, score: kv_score_q2, accumulate: kv_accumulate_q2,
        decode: kv_decode_q2, encode: kv_encode_q2),
]

let quantizedKernels: [Kernel] = widths.flatMap { width in
    [false, true].flatMap { perChannel in kernels(width, perChannel: perChannel) }
}

private func kernels(_ width: Width, perChannel: Bool) -> [Kernel] {
    let name = "q\(width.bits)" + (perChannel ? " per channel" : "")
    @Sendable func planes(_ scratch: Scratch) -> UnsafeMutablePointer<UInt16>? {
        // The scales of 64 entries of a group: halves of 1.0, which are in the cache.
        perChannel
            ? UnsafeMutableRawPointer(scratch.ones).assumingMemoryBound(to: UInt16.self) : nil
    }
    let bytes: @Sendable (Shape) -> Int = {
        width.tileBytes(quantizer($0, values: false, perChannel: perChannel)) * entries / 16
    }
    return [
        Kernel(
            name: "score \(name)", shapes: Shape.attention, bytes: bytes,
            prepare: { isa, shape, scratch in
                guard !perChannel else { return }
                kv_prepare_queries(
                    isa, scratch.prepared, scratch.queries, shape.rows, shape.dim, 32)
            },
            call: { isa, shape, block, scratch in
                width.score(
                    isa, scratch.output, entries,
                    perChannel
                        ? UnsafeRawPointer(scratch.queries) : UnsafeRawPointer(scratch.prepared),
                    shape.rows, block.bytes, planes(scratch), nil, 0, entries,
                    quantizer(shape, values: false, perChannel: perChannel))
            }),
        Kernel(
            name: "accumulate \(name)", shapes: Shape.attention, bytes: bytes,
            call: { isa, shape, block, scratch in
                width.accumulate(
                    isa, scratch.output, scratch.ones, shape.rows, scratch.weights, entries,
                    block.bytes, planes(scratch), nil, 0, entries, nil, 0,
                    quantizer(shape, values: true, perChannel: perChannel))
            }),
        Kernel(name: "decode \(name)", bytes: bytes) { isa, shape, block, scratch in
            width.decode(
                isa, scratch.output, block.bytes, planes(scratch), nil, 0, entries,
                quantizer(shape, values: false, perChannel: perChannel))
        },
        Kernel(name: "encode \(name)", bytes: { entries * $0.dim * 4 }) {
            isa, shape, block, scratch in
            let scales = UnsafeMutableRawPointer(scratch.output).assumingMemoryBound(
                to: UInt16.self)
            width.encode(
                isa, UnsafeMutableRawPointer(scratch.prepared).assumingMemoryBound(to: UInt8.self),
                perChannel ? scales : nil, nil, block.floats, shape.dim, entries,
                quantizer(shape, values: false, perChannel: perChannel))
        },
    ]
}
