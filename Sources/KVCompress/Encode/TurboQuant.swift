import Foundation

/// TurboQuant (arXiv 2504.19874, section 3.1; the form of least mean squared error): a random rotation makes
/// the coordinates of any row alike, so that one codebook, known beforehand, suits them all.
///
/// A row is stored as codes and the f16 norm of every 128 coordinates, as step times norm. The norm is that
/// of the row, as in the paper: decoded rows are shorter, by the codebook's error.
public struct TurboQuant: Hashable, Sendable, Codable {
    /// How rows are rotated.
    public enum Rotation: String, Hashable, Sendable, Codable, CaseIterable {
        /// Random signs, then the Hadamard transform; in blocks where the length is no power of two.
        case hadamard
        /// A random orthogonal matrix, stored with the cache (the paper's).
        case qr
    }

    /// How rows are rotated.
    public var rotation = Rotation.hadamard
    /// Another seed, another rotation.
    public var seed = 0

    /// The randomised Hadamard rotation of seed 0.
    public init() {}

    /// Elements under one norm: as many as exact integer dots span.
    static let group = 128

    /// The sign of each element before the Hadamard transform.
    ///
    /// From integer arithmetic alone, the same everywhere, so that nothing needs to be stored.
    func signs(dim: Int) -> [Float] { (0..<dim).map { noise(seed, $0) >> 63 == 0 ? 1 : -1 } }

    /// A random orthogonal matrix, `dim x dim`, every rotation with the same chance.
    func matrix(dim: Int) -> [Float] {
        func uniform(_ index: Int, _ part: Int) -> Double {
            (Double(noise(seed, index, part) >> 11) + 0.5) * 0x1p-53
        }
        // Box and Muller's normal numbers.
        let normals = (0..<dim * dim).map { index in
            Float(sqrt(-2 * log(uniform(index, 0))) * cos(2 * .pi * uniform(index, 1)))
        }
        return LinearAlgebra.orthogonal(normals, n: dim)
    }
}

/// The random matrices of a cache: one for each seed and length, however many heads go through it.
final class Rotations: Sendable {
    private struct Key: Hashable { let seed, dim: Int }
    private let known = Locked<[Key: Basis]>([:])

    func basis(
        _ turboquant: TurboQuant, dim: Int, allocator: Allocator, kernels: Kernels
    ) -> Basis {
        known.withLock { known in
            let key = Key(seed: turboquant.seed, dim: dim)
            if let basis = known[key] { return basis }
            let basis = Basis(
                matrix: turboquant.matrix(dim: dim), dim: dim, allocator: allocator,
                kernels: kernels)
            known[key] = basis
            return basis
        }
    }
}

extension CodecConfiguration {
    /// TurboQuant's codes of 4, 3 or 2 bits.
    public static func turboquant(bits: Int, _ turboquant: TurboQuant = TurboQuant()) -> Self {
        guard let format = [4: Format.q4, 3: .q3, 2: .q2][bits] else {
            preconditionFailure("TurboQuant has 4, 3 or 2 bits")
        }
        var configuration = CodecConfiguration(format)
        configuration.group = TurboQuant.group
        configuration.turboquant = turboquant
        return configuration
    }
}
