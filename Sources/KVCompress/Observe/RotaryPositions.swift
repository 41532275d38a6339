import Foundation

/// The rotation that a model gave its keys by their positions (RoPE, arXiv 2104.09864), as far as it can be
/// undone: pair i of a row at position t was turned by t * theta^(-2i / dims).
struct RotaryPositions {
    let theta: Double
    /// The leading elements that are rotated, an even number.
    let dims: Int
    /// Pairs are neighbours, else elements i and i + dims / 2.
    let isInterleaved: Bool

    /// What a source says of its model (`rope_theta`, `rope_style`, `rope_dims`).
    ///
    /// - Throws: `Unknown`, when it says too little, or something else than that.
    init(_ metadata: [String: String], keyDim: Int) throws(Unknown) {
        guard let text = metadata["rope_theta"] else { throw Unknown(reason: "no rope_theta") }
        guard let theta = Double(text), theta > 0, theta.isFinite else {
            throw Unknown(reason: "no valid rope_theta")
        }
        guard let style = metadata["rope_style"] else { throw Unknown(reason: "no rope_style") }
        guard ["interleaved", "split-half"].contains(style) else {
            throw Unknown(reason: "no valid rope_style")
        }
        guard metadata["rope_scaling"] == nil else {
            throw Unknown(reason: "a rope_scaling, whose frequencies are not known here")
        }
        guard let dims = metadata["rope_dims"].map({ Int($0) }) ?? keyDim,
            (2...keyDim).contains(dims), dims % 2 == 0
        else { throw Unknown(reason: "no valid rope_dims") }
        self.theta = theta
        self.dims = dims
        isInterleaved = style == "interleaved"
    }

    /// Why the rotation cannot be undone: what the source has, or has not.
    struct Unknown: Error {
        let reason: String
    }

    /// The energy of every channel of all heads' keys as they were before their rotation; row t of a head
    /// stands at position t.
    func energies(of keys: [Rows], kernels: Kernels) -> [[Double]] {
        let dim = keys[0].dim, block = max(1, 4096 / dim)
        let frequencies = (0..<dims / 2).map { pow(theta, -2 * Double($0) / Double(dims)) }
        let pairs = (0..<dims / 2).map {
            isInterleaved ? (2 * $0, 2 * $0 + 1) : ($0, $0 + dims / 2)
        }
        var energies = [[Double]](repeating: .init(repeating: 0, count: dim), count: keys.count)
        var rows = [Float](repeating: 0, count: block * dim)
        for start in stride(from: 0, to: keys[0].count, by: block) {
            let range = start..<min(start + block, keys[0].count)
            // The angles are the same for all heads.
            let turns = range.flatMap { position in
                frequencies.map { (cos(Double(position) * $0), sin(Double(position) * $0)) }
            }
            for (head, key) in keys.enumerated() {
                kernels.convert(key, rows: range, to: &rows)
                for token in range {
                    let row = (token - start) * dim, turn = (token - start) * pairs.count
                    for channel in dims..<dim {
                        energies[head][channel] += pow(Double(rows[row + channel]), 2)
                    }
                    for (pair, (a, b)) in pairs.enumerated() {
                        let (x, y) = (Double(rows[row + a]), Double(rows[row + b]))
                        let (cosine, sine) = turns[turn + pair]
                        energies[head][a] += pow(x * cosine + y * sine, 2)
                        energies[head][b] += pow(y * cosine - x * sine, 2)
                    }
                }
            }
        }
        return energies
    }
}
