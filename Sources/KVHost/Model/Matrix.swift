import KVCompress
import KVFiles

/// A matrix of weights as it lies in its file: numbers become f32 a block of rows at a time, when used.
struct Matrix: Sendable {
    let storage: Storage
    let format: TensorFormat
    let rows: Int
    let columns: Int

    /// f32 elements of a block: it stays in the second-level cache between its decoding and its use.
    private static let blockElements = 1 << 16

    /// The same matrix in memory of its own, decoded once for all.
    func decoded() -> Matrix {
        guard format != .f32 else { return self }
        let floats = Storage(byteCount: rows * columns * 4) { bytes in
            decode(rows: 0..<rows, to: bytes.assumingMemoryBound(to: Float.self).baseAddress!)
        }
        return Matrix(storage: floats, format: .f32, rows: rows, columns: columns)
    }

    /// Decodes a range of rows, packed.
    func decode(rows range: Range<Int>, to floats: UnsafeMutablePointer<Float>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        format.decode(
            pointer(row: range.lowerBound), count: range.count * columns, to: floats)
    }

    /// outputs (count x rows, packed) = inputs (count x columns, packed) times the transposed matrix.
    func project(
        _ inputs: UnsafePointer<Float>, count: Int, to outputs: UnsafeMutablePointer<Float>
    ) {
        if format == .f32 {
            LinearAlgebra.project(
                inputs, count: count, by: pointer(row: 0).assumingMemoryBound(to: Float.self),
                rows: rows, columns: columns, to: outputs, stride: rows)
            return
        }
        let height = min(rows, max(1, Self.blockElements / columns))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: height * columns) { block in
            for first in stride(from: 0, to: rows, by: height) {
                let range = first..<min(first + height, rows)
                decode(rows: range, to: block.baseAddress!)
                LinearAlgebra.project(
                    inputs, count: count, by: block.baseAddress!, rows: range.count,
                    columns: columns, to: outputs + first, stride: rows)
            }
        }
    }

    private func pointer(row: Int) -> UnsafeRawPointer {
        storage.bytes.baseAddress! + format.byteCount(row * columns)
    }
}

/// A linear layer: a matrix and perhaps a bias.
struct Linear: Sendable {
    var matrix: Matrix
    /// One number per row of the matrix.
    let bias: [Float]?

    /// outputs (count x rows) of inputs (count x columns), packed.
    func apply(
        _ inputs: UnsafePointer<Float>, count: Int, to outputs: UnsafeMutablePointer<Float>
    ) {
        matrix.project(inputs, count: count, to: outputs)
        guard let bias else { return }
        for row in 0..<count {
            let output = outputs + row * bias.count
            for index in bias.indices { output[index] += bias[index] }
        }
    }

    /// The same, of arrays.
    func apply(_ inputs: [Float], count: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: count * matrix.rows) { buffer, initialized in
            apply(inputs, count: count, to: buffer.baseAddress!)
            initialized = count * matrix.rows
        }
    }
}
