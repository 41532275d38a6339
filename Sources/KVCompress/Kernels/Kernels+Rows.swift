internal import CKVKernels

extension ElementFormat {
    /// Converts `count` packed numbers to f32.
    ///
    /// - Parameter source: aligned to the elements.
    package func decode(
        _ source: UnsafeRawPointer, count: Int, to floats: UnsafeMutablePointer<Float>
    ) {
        Kernels.best.convert(source, self, count: count, to: floats)
    }

    /// Converts `count` packed f32 numbers to this format.
    ///
    /// - Parameter destination: aligned to the elements.
    package func encode(
        _ floats: UnsafePointer<Float>, count: Int, to destination: UnsafeMutableRawPointer
    ) {
        Kernels.best.convert(floats, count: count, to: self, at: destination)
    }
}

extension Kernels {
    /// Converts rows of any plain format to packed f32.
    func convert(_ source: Rows, rows: Range<Int>, to destination: UnsafeMutablePointer<Float>) {
        convert(source.view[rows], to: destination)
    }

    /// Converts rows of any plain format to packed f32.
    func convert(_ source: RowView, to destination: UnsafeMutablePointer<Float>) {
        // Packed rows are one run of numbers.
        let packed = source.stride == source.dim
        let runs = packed ? min(source.count, 1) : source.count
        let length = packed ? source.count * source.dim : source.dim
        for run in 0..<runs {
            convert(
                source.base + run * source.stride * source.format.byteCount, source.format,
                count: length, to: destination + run * source.dim)
        }
    }

    /// Converts packed numbers of any plain format to f32.
    func convert(
        _ source: UnsafeRawPointer, _ format: ElementFormat, count: Int,
        to floats: UnsafeMutablePointer<Float>
    ) {
        switch format {
        case .f32: floats.update(from: source.assumingMemoryBound(to: Float.self), count: count)
        case .f16:
            kv_convert_f16_f32(isa, floats, source.assumingMemoryBound(to: UInt16.self), count)
        case .bf16:
            kv_convert_bf16_f32(isa, floats, source.assumingMemoryBound(to: UInt16.self), count)
        }
    }

    /// Converts halves to f32.
    func convert(
        halves: UnsafePointer<UInt16>, count: Int, to floats: UnsafeMutablePointer<Float>
    ) {
        kv_convert_f16_f32(isa, floats, halves, count)
    }

    /// The number that a half stands for.
    func float(half: UInt16) -> Float {
        var half = half, float: Float = 0
        kv_convert_f16_f32(isa, &float, &half, 1)
        return float
    }

    /// The numbers, rounded to halves.
    func rounded(_ numbers: [Float]) -> [Float] {
        var halves = [UInt16](repeating: 0, count: numbers.count), rounded = numbers
        kv_convert_f32_f16(isa, &halves, numbers, numbers.count)
        kv_convert_f16_f32(isa, &rounded, halves, numbers.count)
        return rounded
    }

    /// Converts packed f32 to a plain format.
    func convert(
        _ source: UnsafePointer<Float>, count: Int, to format: ElementFormat,
        at destination: UnsafeMutableRawPointer
    ) {
        switch format {
        case .f32: destination.copyMemory(from: source, byteCount: count * 4)
        case .f16:
            kv_convert_f32_f16(isa, destination.assumingMemoryBound(to: UInt16.self), source, count)
        case .bf16:
            kv_convert_f32_bf16(
                isa, destination.assumingMemoryBound(to: UInt16.self), source, count)
        }
    }

    /// Packs the rows of an index list, bytes as they are.
    func gather(
        _ source: Rows, _ indices: ArraySlice<UInt32>, to destination: UnsafeMutableRawPointer
    ) {
        precondition((indices.max() ?? 0) < max(source.count, 1))
        indices.withUnsafeBufferPointer { indices in
            kv_gather_rows(
                isa, destination, source.base, source.stride * source.format.byteCount,
                indices.baseAddress, indices.count, source.dim * source.format.byteCount)
        }
    }

    /// Converts the rows of an index list to packed f32.
    func convert(
        _ source: Rows, picking indices: ArraySlice<UInt32>,
        to destination: UnsafeMutablePointer<Float>
    ) {
        guard let first = indices.first else { return }
        if zip(indices, first...).allSatisfy(==) {
            return convert(source, rows: Int(first)..<Int(first) + indices.count, to: destination)
        }
        guard source.format != .f32 else { return gather(source, indices, to: destination) }
        let bytes = indices.count * source.dim * source.format.byteCount
        withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) { gathered in
            guard let packed = gathered.baseAddress else { return }
            gather(source, indices, to: packed)
            convert(
                UnsafeRawPointer(packed), source.format, count: indices.count * source.dim,
                to: destination)
        }
    }

    /// The first of packed numbers that is not finite or larger than `limit` in magnitude.
    func firstBeyond(_ floats: UnsafePointer<Float>, count: Int, limit: Float) -> Int? {
        let found = kv_find_beyond(isa, floats, count, limit)
        return found < count ? found : nil
    }

    /// The first element that is not finite or larger than `limit` in magnitude.
    func firstBeyond(_ rows: RowView, limit: Float) -> (row: Int, value: Float)? {
        let packed = rows.stride == rows.dim
        func first(
            _ floats: UnsafePointer<Float>, _ range: Range<Int>
        ) -> (row: Int, value: Float)? {
            let found = kv_find_beyond(isa, floats, range.count * rows.dim, limit)
            return found < range.count * rows.dim
                ? (range.lowerBound + found / rows.dim, floats[found]) : nil
        }
        func search(
            _ chunk: Int, _ floats: (Range<Int>) -> UnsafePointer<Float>
        ) -> (row: Int, value: Float)? {
            for start in stride(from: 0, to: rows.count, by: chunk) {
                let range = start..<min(start + chunk, rows.count)
                if let found = first(floats(range), range) { return found }
            }
            return nil
        }
        if rows.format == .f32 {
            return search(packed ? max(1, rows.count) : 1) {
                rows[$0].base.assumingMemoryBound(to: Float.self)
            }
        }
        let chunk = max(1, min(rows.count, 16384 / rows.dim))
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: chunk * rows.dim) {
            scratch in
            search(chunk) {
                convert(rows[$0], to: scratch.baseAddress!)
                return UnsafePointer(scratch.baseAddress!)
            }
        }
    }

    /// L2 norms of packed f32 rows.
    func norms(
        _ rows: UnsafePointer<Float>, count: Int, dim: Int, to norms: UnsafeMutablePointer<Float>
    ) {
        kv_norm_rows(isa, norms, rows, dim, count, dim)
    }

    /// The Hadamard rotation of packed f32 rows, in place; its own inverse.
    func hadamard(_ rows: UnsafeMutablePointer<Float>, count: Int, dim: Int) {
        kv_hadamard(isa, rows, dim, count, dim)
    }

    /// RoPE of packed f32 rows, in place, each at its position; `inverse` undoes it.
    func rope(
        _ rows: UnsafeMutablePointer<Float>, dim: Int, positions: [UInt32], frequencies: [Float],
        style: RoPE.Style, inverse: Bool
    ) {
        rope(
            rows, count: positions.count, dim: dim, positions: positions, frequencies: frequencies,
            style: style, inverse: inverse)
    }

    /// The same, with a position for each of `count` rows.
    func rope(
        _ rows: UnsafeMutablePointer<Float>, count: Int, dim: Int,
        positions: UnsafePointer<UInt32>, frequencies: [Float], style: RoPE.Style, inverse: Bool
    ) {
        precondition(2 * frequencies.count <= dim)
        kv_rope_rows(
            isa, rows, dim, count, positions, frequencies, frequencies.count,
            style == .interleaved, inverse)
    }

    /// CRC-32C of bytes, continuing from `crc`.
    func crc32c(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        kv_crc32c(isa, crc, bytes.baseAddress, bytes.count)
    }
}

/// CRC-32C (Castagnoli) of bytes, continuing from `crc` (0 at the start): the checksum of `.kvc` files.
public func crc32c(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
    Kernels.best.crc32c(crc, bytes)
}
