import Foundation

/// How a model turns queries and keys by their positions, so that it can be undone and done again.
///
/// Pair i of a row at position p is turned by the angle p * theta^(-2i / dims) (RoFormer, arXiv 2104.09864,
/// section 3.2).
package struct RoPE: Hashable, Sendable, Codable {
    /// Which elements are a pair.
    package enum Style: String, Sendable, Codable, CaseIterable {
        /// i and i + dims / 2.
        case splitHalf = "split-half"
        /// 2i and 2i + 1.
        case interleaved
    }

    let theta: Double
    let style: Style
    /// Elements that are turned, the first ones of a row; nil: all.
    let dims: Int?

    /// What the metadata of a cache says.
    ///
    /// - Throws: `CompressionError` of code `.cache` that names what is missing or not valid.
    init(metadata: [String: String]) throws(CompressionError) {
        func entry<Value>(
            _ name: String, _ expected: String, _ read: (String) -> Value?
        ) throws(CompressionError) -> Value? {
            guard let text = metadata[name] else { return nil }
            guard let value = read(text) else {
                throw CompressionError(
                    .cache, "metadata: \(name)='\(text)' is not valid; expected \(expected)")
            }
            return value
        }
        let theta = try entry("rope_theta", "a number from 1 such as 10000") {
            Double($0).flatMap { $0.isFinite && $0 >= 1 ? $0 : nil }
        }
        let style = try entry(
            "rope_style", Style.allCases.map(\.rawValue).joined(separator: " or "),
            Style.init(rawValue:))
        dims = try entry("rope_dims", "an even number of elements from 2") {
            wholeNumber($0).flatMap { $0 >= 2 && $0 % 2 == 0 ? $0 : nil }
        }
        guard let theta, let style else {
            throw CompressionError(
                .cache,
                "rope=undo needs the metadata rope_theta and rope_style, and the cache lacks \(theta == nil ? "rope_theta" : "rope_style")"
            )
        }
        self.theta = theta
        self.style = style
    }

    /// Whether rows of `dim` elements can be turned so.
    func isValid(dim: Int) -> Bool {
        let dims = dims ?? dim
        return dims >= 2 && dims <= dim && dims % 2 == 0 && theta.isFinite && theta >= 1
    }

    /// The angle of each pair at position 1.
    ///
    /// Rounded to floats: a power's last bit, which may differ between machines, does not survive.
    func frequencies(dim: Int) -> [Float] {
        precondition(isValid(dim: dim))
        let dims = dims ?? dim
        return stride(from: 0, to: dims, by: 2).map {
            Float(pow(theta, -Double($0) / Double(dims)))
        }
    }

    /// Turns packed rows back from their positions.
    func undo(_ rows: inout [Float], dim: Int, positions: [UInt32], kernels: Kernels) {
        kernels.rope(
            &rows, dim: dim, positions: positions, frequencies: frequencies(dim: dim),
            style: style, inverse: true)
    }

    /// Turns packed rows in place, each by its position; elements beyond the pairs stay.
    ///
    /// - Parameter frequencies: the angle of each pair at position 1, in 0...1.
    package static func turn(
        _ rows: UnsafeMutablePointer<Float>, dim: Int, positions: [UInt32], frequencies: [Float],
        style: Style
    ) {
        Kernels.best.rope(
            rows, dim: dim, positions: positions, frequencies: frequencies, style: style,
            inverse: false)
    }
}
