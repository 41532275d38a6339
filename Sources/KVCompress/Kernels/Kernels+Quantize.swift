internal import CKVKernels

/// How rows are quantized: the kernels' own description, with the bits beside it.
struct Quantizer: Hashable, Sendable {
    var bits: Int
    var dim: Int
    var group: Int
    var perChannel: Bool
    var asymmetric: Bool
    /// Interleaved as values, not as keys.
    var values: Bool

    fileprivate var c: kv_quantizer {
        kv_quantizer(
            dim: UInt32(dim), group: UInt32(group), per_channel: perChannel, asymmetric: asymmetric,
            values: values)
    }

    /// Bytes of a tile of 16 entries: its codes alone.
    var codeBytes: Int { bits == 8 ? kv_code_bytes_q8(c) : kv_code_bytes_q4(c) }
    /// Bytes of a tile of 16 entries: its codes and the scales and zeros behind them.
    var tileBytes: Int { bits == 8 ? kv_tile_bytes_q8(c) : kv_tile_bytes_q4(c) }
    /// Groups of elements in a row.
    var rowGroups: Int { (dim + group - 1) / group }
    /// Elements under one fixed-point step of a prepared query: per channel the kernels prepare anew.
    var preparedBytes: Int { kv_prepared_bytes(dim, group) }
}

/// Scales and zeros that are planes of their own (per channel), and the place of a block in its group.
struct ScalePlanes {
    var scales: UnsafeMutablePointer<UInt16>?
    var zeros: UnsafeMutablePointer<UInt16>?
    var first = 0
}

extension Kernels {
    func encode(
        _ quantizer: Quantizer, rows: UnsafePointer<Float>, n: Int, tiles: UnsafeMutableRawPointer,
        planes: ScalePlanes
    ) {
        let encode = quantizer.bits == 8 ? kv_encode_q8 : kv_encode_q4
        encode(
            isa, tiles.assumingMemoryBound(to: UInt8.self), planes.scales, planes.zeros, rows,
            quantizer.dim, n, quantizer.c)
    }

    func decode(
        _ quantizer: Quantizer, tiles: UnsafeRawPointer, planes: ScalePlanes, n: Int,
        rows: UnsafeMutablePointer<Float>
    ) {
        let decode = quantizer.bits == 8 ? kv_decode_q8 : kv_decode_q4
        decode(
            isa, rows, tiles.assumingMemoryBound(to: UInt8.self), planes.scales, planes.zeros,
            planes.first, n, quantizer.c)
    }

    func prepare(
        _ quantizer: Quantizer, queries: UnsafePointer<Float>, rows: Int,
        prepared: UnsafeMutableRawPointer
    ) {
        kv_prepare_queries(isa, prepared, queries, rows, quantizer.dim, quantizer.group)
    }

    func score(
        _ quantizer: Quantizer, logits: UnsafeMutablePointer<Float>, logitsStride: Int,
        queries: UnsafeRawPointer, rows: Int, tiles: UnsafeRawPointer, planes: ScalePlanes, n: Int
    ) {
        let score = quantizer.bits == 8 ? kv_score_q8 : kv_score_q4
        score(
            isa, logits, logitsStride, queries, rows, tiles.assumingMemoryBound(to: UInt8.self),
            planes.scales, planes.zeros, planes.first, n, quantizer.c)
    }

    func accumulate(
        _ quantizer: Quantizer, accumulator: UnsafeMutablePointer<Float>,
        rescale: UnsafePointer<Float>, rows: Int, weights: UnsafePointer<Float>, weightsStride: Int,
        tiles: UnsafeRawPointer, planes: ScalePlanes, n: Int, indices: UnsafeBufferPointer<UInt32>?
    ) {
        let accumulate = quantizer.bits == 8 ? kv_accumulate_q8 : kv_accumulate_q4
        accumulate(
            isa, accumulator, rescale, rows, weights, weightsStride,
            tiles.assumingMemoryBound(to: UInt8.self), planes.scales, planes.zeros, planes.first, n,
            indices?.baseAddress, indices?.count ?? 0, quantizer.c)
    }
}
