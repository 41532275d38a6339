import Foundation
import KVCompress
import KVFiles
import Testing

@testable import KVHost

/// Matrices that are decoded in blocks against the same decoded at once.
@Suite struct MatrixTests {
    @Test(arguments: [TensorFormat.f16, .ggmlQ8, .ggmlQ4], [1, 3])
    func blocksGiveWhatTheWholeGives(format: TensorFormat, count: Int) throws {
        // More rows than two blocks hold, and a last block that is not full.
        let rows = 700, columns = 256
        var bytes = (0..<format.byteCount(rows * columns)).map {
            UInt8(truncatingIfNeeded: $0 * 37 >> 2)
        }
        // Halves from 1 to 2 in place of bits that may mean no number.
        for start in stride(from: 0, to: bytes.count, by: format.blockBytes) {
            bytes[start + 1] = 0x3C
        }
        let matrix = Matrix(
            storage: Storage(copying: bytes), format: format, rows: rows, columns: columns)
        let inputs = (0..<count * columns).map { Float(sin(Double($0))) }
        let blocks = Linear(matrix: matrix, bias: nil).apply(inputs, count: count)
        let whole = Linear(matrix: matrix.decoded(), bias: nil).apply(inputs, count: count)
        let most = whole.map(abs).max() ?? 0
        #expect(most > 1 && zip(blocks, whole).allSatisfy { abs($0 - $1) <= 1e-5 * most })
    }
}
