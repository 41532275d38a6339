internal import CKVKernels

/// How rows are quantized: the kernels' own description, with the bits beside it.
struct Quantizer: Sendable {
    let bits: Int
    let dim: Int
    let group: Int
    let perChannel: Bool
    let asymmetric: Bool
    /// Bytes of a tile of 16 entries: its codes alone.
    let codeBytes: Int
    /// Bytes of a tile of 16 entries: its codes and the scales and zeros behind them.
    let tileBytes: Int
    fileprivate let c: kv_quantizer

    /// Describes rows of `dim` elements.
    ///
    /// - Parameters:
    ///   - values: whether codes are interleaved as values, not as keys.
    ///   - codebook: what codes stand for when not for themselves; per token and symmetric.
    init(
        bits: Int, dim: Int, group: Int, perChannel: Bool, asymmetric: Bool, values: Bool,
        codebook: Codebook?
    ) {
        self.bits = bits
        self.dim = dim
        self.group = group
        self.perChannel = perChannel
        self.asymmetric = asymmetric
        var c = kv_quantizer()
        c.dim = UInt32(dim)
        c.group = UInt32(group)
        c.per_channel = perChannel
        c.asymmetric = asymmetric
        c.values = values
        if let codebook {
            c.codebook = true
            c.step = codebook.step
            withUnsafeMutableBytes(of: &c.levels) {
                $0.storeBytes(of: codebook.levels, as: SIMD16<Int8>.self)
            }
        }
        self.c = c
        codeBytes =
            switch bits {
            case 8: kv_code_bytes_q8(c)
            case 4: kv_code_bytes_q4(c)
            case 3: kv_code_bytes_q3(c)
            case 2: kv_code_bytes_q2(c)
            default: preconditionFailure("no codes of \(bits) bits")
            }
        tileBytes =
            switch bits {
            case 8: kv_tile_bytes_q8(c)
            case 4: kv_tile_bytes_q4(c)
            case 3: kv_tile_bytes_q3(c)
            default: kv_tile_bytes_q2(c)
            }
    }

    /// Whether codes stand for levels of a codebook, and scales are norms.
    var hasCodebook: Bool { c.codebook }

    /// Groups of elements in a row.
    var rowGroups: Int { (dim + group - 1) / group }
    /// Bytes of a prepared query: per channel the kernels prepare anew.
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
        let encode =
            switch quantizer.bits {
            case 8: kv_encode_q8
            case 4: kv_encode_q4
            case 3: kv_encode_q3
            default: kv_encode_q2
            }
        encode(
            isa, tiles.assumingMemoryBound(to: UInt8.self), planes.scales, planes.zeros, rows,
            quantizer.dim, n, quantizer.c)
    }

    func decode(
        _ quantizer: Quantizer, tiles: UnsafeRawPointer, planes: ScalePlanes, n: Int,
        rows: UnsafeMutablePointer<Float>
    ) {
        let decode =
            switch quantizer.bits {
            case 8: kv_decode_q8
            case 4: kv_decode_q4
            case 3: kv_decode_q3
            default: kv_decode_q2
            }
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
        let score =
            switch quantizer.bits {
            case 8: kv_score_q8
            case 4: kv_score_q4
            case 3: kv_score_q3
            default: kv_score_q2
            }
        score(
            isa, logits, logitsStride, queries, rows, tiles.assumingMemoryBound(to: UInt8.self),
            planes.scales, planes.zeros, planes.first, n, quantizer.c)
    }

    func accumulate(
        _ quantizer: Quantizer, accumulator: UnsafeMutablePointer<Float>,
        rescale: UnsafePointer<Float>, rows: Int, weights: UnsafePointer<Float>, weightsStride: Int,
        tiles: UnsafeRawPointer, planes: ScalePlanes, n: Int, indices: UnsafeBufferPointer<UInt32>?
    ) {
        let accumulate =
            switch quantizer.bits {
            case 8: kv_accumulate_q8
            case 4: kv_accumulate_q4
            case 3: kv_accumulate_q3
            default: kv_accumulate_q2
            }
        accumulate(
            isa, accumulator, rescale, rows, weights, weightsStride,
            tiles.assumingMemoryBound(to: UInt8.self), planes.scales, planes.zeros, planes.first, n,
            indices?.baseAddress, indices?.count ?? 0, quantizer.c)
    }
}
