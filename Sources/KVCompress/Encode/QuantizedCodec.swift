/// Codes of 8, 4, 3 or 2 bits under shared f16 scales: `q8`, `q4`, `q3` and `q2`.
///
/// Per token, a store is tiles of 16 entries, each with its scales behind its codes. Per channel, it is
/// all tiles and then the planes of scales and of zeros, one row of `dim` for every `group` entries.
/// TurboQuant's codes go through a codebook, and their scales are norms.
struct QuantizedCodec: Codec {
    let configuration: CodecConfiguration
    let side: Side
    let quantizer: Quantizer

    init(_ configuration: CodecConfiguration, side: Side, dim: Int) {
        precondition(configuration.isValid)
        var plain = configuration
        plain.rotated = false
        self.configuration = plain
        self.side = side
        quantizer = Quantizer(
            bits: configuration.format.codeBits!, dim: dim, group: configuration.group,
            perChannel: configuration.axis == .channel, asymmetric: configuration.asymmetric,
            values: side == .values,
            codebook: configuration.turboquant.map { _ in
                Codebook.lloydMax(
                    dim: min(dim, configuration.group), bits: configuration.format.codeBits!)
            })
    }

    var dim: Int { quantizer.dim }
    var entryMultiple: Int { quantizer.perChannel ? quantizer.group : 1 }

    private static let tileEntries = 16
    private func tiles(_ count: Int) -> Int { (count + Self.tileEntries - 1) / Self.tileEntries }

    private func planeBytes(_ count: Int) -> Int {
        quantizer.perChannel ? count / quantizer.group * dim * 2 : 0
    }

    func allocatedBytes(_ count: Int) -> Int {
        tiles(count) * quantizer.tileBytes + planeBytes(count) * (quantizer.asymmetric ? 2 : 1)
    }

    func storedBytes(_ count: Int) -> [Component: Int] {
        let scales = quantizer.perChannel ? planeBytes(count) : count * quantizer.rowGroups * 2
        // Codes of a tile are the bytes of 16 entries, also where 16 odd rows of 4 bits share bytes.
        let codes = (count * quantizer.codeBytes + Self.tileEntries - 1) / Self.tileEntries
        let isKeys = side == .keys
        let scale: Component =
            quantizer.hasCodebook
            ? (isKeys ? .keyNorms : .valueNorms) : (isKeys ? .keyScales : .valueScales)
        var bytes: [Component: Int] = [isKeys ? .keyCodes : .valueCodes: codes, scale: scales]
        if quantizer.asymmetric { bytes[isKeys ? .keyZeros : .valueZeros] = scales }
        return bytes
    }

    /// Tiles, and per channel the rows of scales and of zeros of all groups that the entries are of.
    func places(_ entries: Range<Int>, of total: Int) -> [Range<Int>] {
        let codes = tiles(entries.lowerBound)..<tiles(entries.upperBound)
        var places = [
            codes.lowerBound * quantizer.tileBytes..<codes.upperBound * quantizer.tileBytes
        ]
        guard quantizer.perChannel, !entries.isEmpty else { return places }
        let first = entries.lowerBound / quantizer.group
        let end = (entries.upperBound + quantizer.group - 1) / quantizer.group
        for plane in 0..<(quantizer.asymmetric ? 2 : 1) {
            let base = tiles(total) * quantizer.tileBytes + plane * planeBytes(total)
            places.append(base + first * dim * 2..<base + end * dim * 2)
        }
        return places
    }

    /// Where the scales of `entry` and of those behind it are, in a store of `total` entries.
    private func planes(_ base: UnsafeMutableRawPointer, entry: Int, of total: Int) -> ScalePlanes {
        guard quantizer.perChannel else { return ScalePlanes() }
        let scales = base + tiles(total) * quantizer.tileBytes
        let row = entry / quantizer.group * dim
        let zeros = quantizer.asymmetric ? scales + planeBytes(total) : nil
        return ScalePlanes(
            scales: scales.assumingMemoryBound(to: UInt16.self) + row,
            zeros: zeros.map { $0.assumingMemoryBound(to: UInt16.self) + row },
            first: entry % quantizer.group)
    }

    private func tile(_ base: UnsafeMutableRawPointer, entry: Int) -> UnsafeMutableRawPointer {
        base + entry / Self.tileEntries * quantizer.tileBytes
    }

    func encode(
        _ rows: UnsafePointer<Float>, count: Int, first: Int, of total: Int,
        to base: UnsafeMutableRawPointer, kernels: Kernels
    ) {
        precondition(
            first % max(Self.tileEntries, entryMultiple) == 0 && count % entryMultiple == 0)
        kernels.encode(
            quantizer, rows: rows, n: count, tiles: tile(base, entry: first),
            planes: planes(base, entry: first, of: total))
    }

    func decode(_ store: Store, block: Int, to rows: UnsafeMutablePointer<Float>, kernels: Kernels)
    {
        let entry = block * blockEntries
        kernels.decode(
            quantizer, tiles: tile(store.base, entry: entry),
            planes: planes(store.base, entry: entry, of: store.count),
            n: store.entries(block: block),
            rows: rows)
    }

    func preparedBytes(rows: Int) -> Int {
        rows * (quantizer.perChannel ? dim * 4 : quantizer.preparedBytes)
    }

    func prepare(
        _ queries: UnsafePointer<Float>, rows: Int, to prepared: UnsafeMutableRawPointer,
        kernels: Kernels
    ) {
        // Per channel the scales differ from group to group: the kernel folds them into f32 queries.
        if quantizer.perChannel {
            prepared.copyMemory(from: queries, byteCount: rows * dim * 4)
        } else {
            kernels.prepare(quantizer, queries: queries, rows: rows, prepared: prepared)
        }
    }

    func score(
        _ store: Store, block: Int, prepared: UnsafeRawPointer, rows: Int,
        logits: UnsafeMutablePointer<Float>, kernels: Kernels
    ) {
        let entry = block * blockEntries
        kernels.score(
            quantizer, logits: logits, logitsStride: blockEntries, queries: prepared, rows: rows,
            tiles: tile(store.base, entry: entry),
            planes: planes(store.base, entry: entry, of: store.count),
            n: store.entries(block: block))
    }

    func accumulate(
        _ store: Store, block: Int, weights: UnsafePointer<Float>, rescale: UnsafePointer<Float>,
        indices: UnsafeBufferPointer<UInt32>?, state: FoldState, kernels: Kernels
    ) {
        let entry = block * blockEntries
        kernels.accumulate(
            quantizer, accumulator: state.accumulator, rescale: rescale, rows: state.rows,
            weights: weights, weightsStride: blockEntries, tiles: tile(store.base, entry: entry),
            planes: planes(store.base, entry: entry, of: store.count),
            n: store.entries(block: block),
            indices: indices)
    }
}
