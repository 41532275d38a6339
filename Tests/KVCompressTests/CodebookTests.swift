import Foundation
import Testing

@testable import KVCompress

/// Codebooks against an independent Lloyd iteration.
@Suite struct CodebookTests {
    /// The levels of a codebook for a row of norm 1.
    private static func levels(_ book: Codebook, bits: Int, dim: Int) -> [Double] {
        (0..<1 << bits).map {
            Double(book.levels[$0]) * Double(book.step) / Double(dim).squareRoot()
        }
    }

    @Test(arguments: [3, 8, 32, 64, 80, 128], [2, 3, 4])
    func distortionIsOptimal(dim: Int, bits: Int) {
        let book = Codebook.lloydMax(dim: dim, bits: bits)
        let reference = LloydReference(dim: dim)
        let found = reference.distortion(Self.levels(book, bits: bits, dim: dim))
        let optimum = reference.optimum(levels: 1 << bits)
        #expect(found < 1.01 * optimum && found > 0.999 * optimum, "\(found) of \(optimum)")
    }

    /// In many dimensions the density is the normal one, whose optima are known (Max, 1960).
    @Test(arguments: [(2, 0.1175), (3, 0.03454), (4, 0.009497)])
    func normalLimit(bits: Int, optimum: Double) {
        let book = Codebook.lloydMax(dim: 1024, bits: bits)
        let found = LloydReference(dim: 1024, places: 40000)
            .distortion(Self.levels(book, bits: bits, dim: 1024))
        #expect(abs(found / optimum - 1) < 0.01, "\(found)")
    }

    @Test(arguments: [1, 2, 3, 64, 128], [2, 3, 4])
    func levelsAreSymmetricAndAscend(dim: Int, bits: Int) {
        let book = Codebook.lloydMax(dim: dim, bits: bits), count = 1 << bits
        for code in 0..<count {
            #expect(book.levels[code] == -book.levels[count - 1 - code])
            #expect(code == 0 || book.levels[code] > book.levels[code - 1])
        }
        #expect((count..<16).allSatisfy { book.levels[$0] == 0 } && book.step > 0 && book.step < 1)
    }
}
