/// The best approximation of some rank of a matrix with a row per token: `coefficients` (tokens x rank)
/// times `directions` (rank x width), the singular value decomposition cut off.
///
/// It comes from the eigenvectors of the smaller Gram matrix.
struct TokenBasis {
    let rank: Int
    /// tokens x rank.
    let coefficients: [Float]
    /// rank x width; unit rows.
    private let directions: [Float]
    private let width: Int

    /// Decomposes a matrix with rows of `width` finite numbers.
    ///
    /// `chooseRank` is told the energies (squared singular values) of all directions, largest first, up to
    /// one common factor.
    init(_ matrix: consuming [Float], width: Int, chooseRank: ([Float]) -> Int) {
        let tokens = matrix.count / width
        let isWide = tokens < width
        // Directions do not change with the size of the numbers, but large squares would overflow.
        let largest = matrix.reduce(0) { max($0, $1.magnitude) }
        if largest > 0 { for place in matrix.indices { matrix[place] /= largest } }
        let scaled = matrix
        let side = min(tokens, width)
        let gram = LinearAlgebra.product(
            scaled, scaled, rows: side, columns: side, transposingA: !isWide, transposingB: isWide)
        let (values, vectors) = LinearAlgebra.symmetricEigen(gram, n: side)
        let energies = values.reversed().map { max(0, $0) }
        let rank = chooseRank(energies)
        // Eigenvectors stand in ascending order: the last rows are the strongest.
        let strongest = (0..<rank).flatMap { vectors[(side - 1 - $0) * side..<(side - $0) * side] }
        if isWide {
            // U, a row for each direction; then the directions are the unit rows of U matrix.
            var directions = LinearAlgebra.product(
                strongest, scaled, rows: rank, columns: width)
            var lengths = [Float](repeating: 0, count: rank)
            for index in 0..<rank {
                let row = index * width..<(index + 1) * width
                let length = directions[row].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                lengths[index] = Float(length)
                guard length > 0 else { continue }
                for place in row { directions[place] = Float(Double(directions[place]) / length) }
            }
            self.directions = directions
            coefficients = (0..<tokens).flatMap { token in
                (0..<rank).map { strongest[$0 * tokens + token] * lengths[$0] * largest }
            }
        } else {
            directions = strongest
            coefficients = LinearAlgebra.product(
                scaled, strongest, rows: tokens, columns: rank, transposingB: true
            ).map { $0 * largest }
        }
        (self.rank, self.width) = (rank, width)
    }

    /// The directions' columns from `column`: rank x dim.
    func block(_ column: Int, dim: Int) -> [Float] {
        (0..<rank).flatMap { directions[$0 * width + column..<$0 * width + column + dim] }
    }
}
