import Testing

@testable import KVCompress

@Suite struct LinearAlgebraTests {
    @Test(arguments: [1, 2, 7, 33, 128]) func gramAndEigenvectors(dim: Int) {
        var random = Seeded(dim)
        let count = random.int(1...40)
        let rows = (0..<count * dim).map { _ in random.normal() }
        let gram = LinearAlgebra.gram(rows, dim: dim)
        for i in 0..<dim {
            for j in 0..<dim {
                let exact = (0..<count).reduce(0.0) { sum, row in
                    sum + Double(rows[row * dim + i]) * Double(rows[row * dim + j])
                }
                #expect(abs(Double(gram[i * dim + j]) - exact) < 1e-4 * Double(count))
            }
        }
        let (values, vectors) = LinearAlgebra.symmetricEigen(gram, n: dim)
        #expect(zip(values, values.dropFirst()).allSatisfy { $0 <= $1 })
        let size = Double(values.last!) + 1
        for (index, value) in values.enumerated() {
            let vector = vectors[index * dim..<(index + 1) * dim].map(Double.init)
            #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-4)
            for i in 0..<dim {
                let image = (0..<dim).reduce(0.0) { $0 + Double(gram[i * dim + $1]) * vector[$1] }
                #expect(abs(image - Double(value) * vector[i]) < 1e-4 * size)
            }
        }
    }

    @Test func productsOfMatrices() {
        var random = Seeded(7)
        for _ in 0..<40 {
            let (rows, inner, columns) = (random.int(1...9), random.int(1...9), random.int(1...9))
            let (turnA, turnB) = (random.int(0...1) == 1, random.int(0...1) == 1)
            let a = random.floats(rows * inner), b = random.floats(inner * columns)
            let product = LinearAlgebra.product(
                a, b, rows: rows, columns: columns, transposingA: turnA, transposingB: turnB)
            for i in 0..<rows {
                for j in 0..<columns {
                    let exact = (0..<inner).reduce(0.0) { sum, k in
                        let left = a[turnA ? k * rows + i : i * inner + k]
                        let right = b[turnB ? j * inner + k : k * columns + j]
                        return sum + Double(left) * Double(right)
                    }
                    #expect(abs(Double(product[i * columns + j]) - exact) < 1e-5)
                }
            }
        }
    }

    /// Orthonormal rows, and columns that lie on the same side as those they came from.
    @Test(arguments: [1, 2, 7, 33, 128]) func orthogonalMatrices(dim: Int) {
        var random = Seeded(dim)
        let columns = (0..<dim * dim).map { _ in random.normal() }
        let matrix = LinearAlgebra.orthogonal(columns, n: dim)
        let gram = LinearAlgebra.gram(matrix, dim: dim)
        for i in 0..<dim {
            for j in 0..<dim { #expect(abs(gram[i * dim + j] - (i == j ? 1 : 0)) < 1e-4) }
            // R = Qᵀ A is upper triangular with a positive diagonal.
            for j in 0...i {
                let r = (0..<dim).reduce(Float(0)) {
                    $0 + matrix[i * dim + $1] * columns[j * dim + $1]
                }
                #expect(j == i ? r > 0 : abs(r) < 1e-3, "\(i), \(j): \(r)")
            }
        }
    }

    /// Keys that are combinations of few directions of equal weight.
    @Test(arguments: [1, 3, 10]) func keyRank(rank: Int) throws {
        var random = Seeded(rank)
        let dim = 24
        // Coordinates of the directions: each token lies along one of them.
        let floats = (0..<600).flatMap { token in
            (0..<dim).map { $0 == token % rank * 2 ? random.normal() : 0 }
        }
        let layer = CacheLayer(keys: [Rows(floats, dim: dim)], values: [Rows(floats, dim: dim)])
        #expect(try layer.effectiveKeyRank(energy: 0.9999) == Double(rank))
        #expect(try layer.effectiveKeyRank(energy: 0) == 0)
        #expect(try layer.effectiveKeyRank(energy: 1) <= Double(dim))
    }

    @Test func extremeKeys() throws {
        func layer(_ number: Float) -> CacheLayer {
            let rows = Rows([Float](repeating: 1, count: 47) + [number], dim: 16)
            return CacheLayer(keys: [rows], values: [rows])
        }
        for number: Float in [0, 1e-30, 1e18, 1e30, .greatestFiniteMagnitude] {
            #expect(try (1...2).contains(layer(number).effectiveKeyRank()))
        }
        for number: Float in [.nan, .infinity, -.infinity] {
            let error = #expect(throws: CompressionError.self) {
                try layer(number).effectiveKeyRank()
            }
            #expect(error?.code == .values && error?.description.contains("key head 0") == true)
        }
    }
}
