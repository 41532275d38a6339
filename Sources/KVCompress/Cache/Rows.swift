/// How the numbers of plain rows are stored.
public enum ElementFormat: String, Sendable, Codable, CaseIterable {
    case f32, f16, bf16

    /// Bytes of one element.
    public var byteCount: Int { self == .f32 ? 4 : 2 }
}

/// A view of `count` rows of `dim` plain numbers in somebody's storage: keys, values or queries of one
/// head.
public struct Rows: Sendable {
    let storage: Storage
    let byteOffset: Int
    /// How the numbers are stored.
    public let format: ElementFormat
    /// Number of rows (tokens, entries).
    public let count: Int
    /// Elements of a row.
    public let dim: Int
    /// Elements from one row to the next.
    public let stride: Int

    /// Views rows in `storage` that start `byteOffset` bytes from its beginning.
    ///
    /// Traps when the rows do not lie inside the storage or are not aligned to their elements.
    public init(
        storage: Storage, byteOffset: Int, format: ElementFormat, count: Int, dim: Int,
        stride: Int? = nil
    ) {
        let stride = stride ?? dim
        precondition(count >= 0 && dim > 0 && stride >= dim && byteOffset >= 0)
        let span = count == 0 ? 0 : ((count - 1) * stride + dim) * format.byteCount
        precondition(byteOffset + span <= storage.byteCount, "rows outside their storage")
        precondition(
            count == 0
                || (UInt(bitPattern: storage.base) + UInt(byteOffset)) % UInt(format.byteCount)
                    == 0,
            "rows not aligned to their elements")
        self.storage = storage
        self.byteOffset = byteOffset
        self.format = format
        self.count = count
        self.dim = dim
        self.stride = stride
    }

    /// Packed f32 rows copied from an array of `count x dim` values.
    public init(_ values: [Float], dim: Int) {
        precondition(dim > 0 && values.count % dim == 0)
        self.init(
            storage: Storage(copying: values), byteOffset: 0, format: .f32,
            count: values.count / dim, dim: dim)
    }

    /// The rows of a range, still a view.
    public subscript(range: Range<Int>) -> Rows {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return Rows(
            storage: storage, byteOffset: byteOffset + range.lowerBound * stride * format.byteCount,
            format: format, count: range.count, dim: dim, stride: stride)
    }

    var base: UnsafeRawPointer { UnsafeRawPointer(storage.base) + byteOffset }

    var view: RowView {
        RowView(base: base, format: format, count: count, dim: dim, stride: stride)
    }

    /// The stored bytes of one row, valid while these rows live.
    public func bytes(row: Int) -> UnsafeRawBufferPointer {
        precondition(row >= 0 && row < count)
        return UnsafeRawBufferPointer(
            start: base + row * stride * format.byteCount, count: dim * format.byteCount)
    }

    /// All rows as f32, packed, row after row.
    public func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: count * dim) { buffer, initialized in
            if let destination = buffer.baseAddress {
                Kernels.best.convert(self, rows: 0..<count, to: destination)
            }
            initialized = count * dim
        }
    }
}
