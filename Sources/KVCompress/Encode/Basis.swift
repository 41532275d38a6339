/// A stored linear map between rows as attention sees them (`dim` elements) and rows as a codec stores
/// them (`rank` elements).
///
/// It came from the data or from a seed; it is kept with what it encoded and never derived again.
struct Basis: Sendable {
    /// What is stored and how it maps.
    enum Kind: String, Sendable, Codable {
        /// rank x dim halves B: stored = B row, row = Bᵀ stored.
        case matrix
        /// The ascending indices (u16) of the `rank` channels that are stored; the others are zeros.
        case channels
        /// A factor (half) for each channel: stored = row / factor, row = stored * factor.
        case diagonal
    }

    let kind: Kind
    let storage: Storage
    let byteOffset: Int
    let rank: Int
    let dim: Int
    /// What is undone before keys are mapped, and done again behind it; nil when they are mapped as they are.
    var rope: RoPE?

    init(kind: Kind, storage: Storage, byteOffset: Int, rank: Int, dim: Int) {
        self.kind = kind
        self.storage = storage
        self.byteOffset = byteOffset
        self.rank = rank
        self.dim = dim
    }

    /// Bytes of the stored numbers.
    var byteCount: Int { Self.byteCount(kind, rank: rank, dim: dim) }

    static func byteCount(_ kind: Kind, rank: Int, dim: Int) -> Int {
        2 * (kind == .matrix ? rank * dim : rank)
    }

    var numbers: UnsafeMutablePointer<UInt16> {
        (storage.base + byteOffset).assumingMemoryBound(to: UInt16.self)
    }

    /// A matrix of packed rows, rounded to halves.
    init(matrix: [Float], dim: Int, allocator: Allocator, kernels: Kernels) {
        precondition(matrix.count % dim == 0)
        let storage = allocator.allocate(matrix.count * 2)
        kernels.convert(matrix, count: matrix.count, to: .f16, at: storage.base)
        self.init(
            kind: .matrix, storage: storage, byteOffset: 0, rank: matrix.count / dim, dim: dim)
    }

    /// The channels that are stored, ascending.
    init(channels: [Int], dim: Int, allocator: Allocator) {
        precondition(zip(channels, channels.dropFirst()).allSatisfy(<))
        let storage = Storage(copying: channels.map { UInt16($0) }, allocator: allocator)
        self.init(
            kind: .channels, storage: storage, byteOffset: 0, rank: channels.count, dim: dim)
    }

    /// A positive factor for each channel, rounded to a half.
    init(diagonal: [Float], allocator: Allocator, kernels: Kernels) {
        let storage = allocator.allocate(diagonal.count * 2)
        kernels.convert(diagonal, count: diagonal.count, to: .f16, at: storage.base)
        self.init(
            kind: .diagonal, storage: storage, byteOffset: 0, rank: diagonal.count,
            dim: diagonal.count)
    }

    /// Maps rows to the space that is stored.
    func encode(
        _ rows: UnsafePointer<Float>, count: Int, to stored: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        if kind == .diagonal {
            let factors = factors(kernels)
            for index in 0..<count * dim { stored[index] = rows[index] / factors[index % dim] }
        } else {
            project(rows, count: count, to: stored, kernels: kernels)
        }
    }

    /// Maps queries so that their dots with stored rows are those with the rows that these stand for.
    func project(
        _ queries: UnsafePointer<Float>, count: Int, to projected: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        switch kind {
        case .matrix:
            kernels.score(
                .f16, logits: projected, logitsStride: rank, queries: queries, rows: count,
                dim: dim, keys: numbers, stride: dim, n: rank)
        case .channels:
            for row in 0..<count {
                for index in 0..<rank {
                    projected[row * rank + index] = queries[row * dim + Int(numbers[index])]
                }
            }
        case .diagonal:
            let factors = factors(kernels)
            for index in 0..<count * dim {
                projected[index] = queries[index] * factors[index % dim]
            }
        }
    }

    /// Maps stored rows, or sums of them, back; the two may not overlap.
    func decode(
        _ stored: UnsafePointer<Float>, count: Int, to rows: UnsafeMutablePointer<Float>,
        kernels: Kernels
    ) {
        switch kind {
        case .matrix:
            rows.update(repeating: 0, count: count * dim)
            let ones = [Float](repeating: 1, count: count)
            kernels.accumulate(
                .f16, accumulator: rows, rescale: ones, rows: count, dim: dim, weights: stored,
                weightsStride: rank, values: numbers, stride: dim, n: rank, indices: nil)
        case .channels:
            rows.update(repeating: 0, count: count * dim)
            for row in 0..<count {
                for index in 0..<rank {
                    rows[row * dim + Int(numbers[index])] = stored[row * rank + index]
                }
            }
        case .diagonal:
            let factors = factors(kernels)
            for index in 0..<count * dim { rows[index] = stored[index] * factors[index % dim] }
        }
    }

    /// The factors of a diagonal.
    private func factors(_ kernels: Kernels) -> [Float] {
        [Float](unsafeUninitializedCapacity: dim) { buffer, count in
            kernels.convert(halves: numbers, count: dim, to: buffer.baseAddress!)
            count = dim
        }
    }
}
