import Foundation
import KVCompress
import KVFiles

/// How a model turns its queries and keys by their positions.
struct Rotary: Sendable {
    /// Which elements of a row are a pair.
    let style: RoPE.Style
    /// The angle of each pair at position 1, in 0...1; elements beyond the pairs stay.
    let frequencies: [Float]
    /// The same as a cache's metadata says it: empty where a scaling cannot be said so.
    let metadata: [String: String]

    /// How frequencies are changed for contexts longer than those of the training.
    enum Scaling: Sendable {
        case none
        /// All divided by a factor.
        case linear(Double)
        /// Each divided by its own: GGUF's `rope_freqs.weight`.
        case factors([Float])
        /// Llama 3.1's: long waves divided by `factor`, short ones kept, and a ramp between.
        case llama3(factor: Double, low: Double, high: Double, context: Double)
    }

    /// Computes the frequencies theta^(-2i / dims).
    ///
    /// - Throws: `FileError` (`.shape`) where they do not fit a key of `keyDim` elements or leave 0...1.
    init(
        style: RoPE.Style, theta: Double, dims: Int, keyDim: Int, scaling: Scaling, file: URL
    ) throws(FileError) {
        guard (2...max(2, keyDim)).contains(dims), dims <= keyDim, dims % 2 == 0 else {
            throw FileError(
                .shape, file,
                "RoPE turns \(dims) elements of keys of \(keyDim); valid are even numbers from 2")
        }
        if case .factors(let factors) = scaling, factors.count != dims / 2 {
            throw FileError(
                .shape, file, "\(factors.count) RoPE factors for \(dims / 2) pairs of elements")
        }
        self.style = style
        if case .none = scaling {
            metadata = [
                "rope_theta": "\(theta)", "rope_style": style.rawValue, "rope_dims": "\(dims)",
            ]
        } else {
            metadata = [:]
        }
        frequencies = (0..<dims / 2).map { pair in
            let plain = pow(theta, -2 * Double(pair) / Double(dims))
            return Float(Self.scaled(plain, pair: pair, by: scaling))
        }
        guard frequencies.allSatisfy({ (0...1).contains($0) }) else {
            throw FileError(
                .shape, file,
                "RoPE with theta \(theta) and its scaling gives angles outside 0...1 per position")
        }
    }

    private static func scaled(_ frequency: Double, pair: Int, by scaling: Scaling) -> Double {
        switch scaling {
        case .none: return frequency
        case .linear(let factor): return frequency / factor
        case .factors(let factors): return frequency / Double(factors[pair])
        case .llama3(let factor, let low, let high, let context):
            let turns = context * frequency / (2 * .pi)
            let kept = min(max((turns - low) / (high - low), 0), 1)
            return kept * frequency + (1 - kept) * frequency / factor
        }
    }

    /// Turns rows in place.
    ///
    /// - Parameters:
    ///   - rows: `positions.count x heads x dim`, packed.
    func turn(
        _ rows: UnsafeMutablePointer<Float>, heads: Int, dim: Int, positions: Range<Int>
    ) {
        RoPE.turn(
            rows, dim: dim,
            positions: positions.flatMap { repeatElement(UInt32($0), count: heads) },
            frequencies: frequencies, style: style)
    }
}
