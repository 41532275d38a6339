import Foundation

/// What the kernels compute, said again in double precision and plain loops, from the header's words.
enum Reference {
    /// The unit of rounding of a Float.
    static let epsilon = 0x1p-24

    /// How far a tree sum of `count` products may lie from the exact sum: a chain of fma per lane, four
    /// additions, and a little for what follows.
    static func treeBound(_ count: Int, magnitudes: Double) -> Double {
        Double(count / 16 + 8) * epsilon * magnitudes + 1e-43
    }

    static func dot(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    static func magnitudes(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        zip(a, b).reduce(0) { $0 + abs(Double($1.0) * Double($1.1)) }
    }

    /// The blocks that a row is rotated in: powers of two, largest first.
    static func hadamardBlocks(_ dim: Int) -> [Range<Int>] {
        var blocks: [Range<Int>] = []
        var start = 0
        while start < dim {
            var size = 1
            while size * 2 <= dim - start { size *= 2 }
            blocks.append(start..<start + size)
            start += size
        }
        return blocks
    }

    /// The Sylvester-Hadamard matrix by its elements: (-1)^(bits that i and j share) / sqrt(size).
    static func hadamard(_ row: [Float]) -> [Double] {
        var out = [Double](repeating: 0, count: row.count)
        for block in hadamardBlocks(row.count) {
            for i in block {
                for j in block {
                    let shared = ((i - block.lowerBound) & (j - block.lowerBound)).nonzeroBitCount
                    out[i] += shared % 2 == 0 ? Double(row[j]) : -Double(row[j])
                }
                out[i] /= Double(block.count).squareRoot()
            }
        }
        return out
    }
}

extension [Float] {
    /// Row `r` of a matrix whose rows are `stride` apart.
    func row(_ r: Int, _ width: Int, stride: Int? = nil) -> ArraySlice<Float> {
        let start = r * (stride ?? width)
        return self[start..<start + width]
    }

    var bits: [UInt32] { map(\.bitPattern) }
}

/// The Euclidean distance of `a` from `b`, relative to the length of `b`.
func relativeError(_ a: some Sequence<Float>, _ b: some Sequence<Double>) -> Double {
    var difference = 0.0
    var length = 0.0
    for (x, y) in zip(a, b) {
        difference += (Double(x) - y) * (Double(x) - y)
        length += y * y
    }
    return length == 0 ? difference.squareRoot() : (difference / length).squareRoot()
}

extension Reference {
    /// RoPE of one row at a position: pairs turned by position * frequency, or back.
    static func rope(
        _ row: [Float], position: UInt32, frequencies: [Float], interleaved: Bool, inverse: Bool
    ) -> [Double] {
        var turned = row.map(Double.init)
        for (i, frequency) in frequencies.enumerated() {
            let angle = Double(position) * Double(frequency) * (inverse ? -1 : 1)
            let a = interleaved ? 2 * i : i
            let b = interleaved ? 2 * i + 1 : i + frequencies.count
            turned[a] = Double(row[a]) * cos(angle) - Double(row[b]) * sin(angle)
            turned[b] = Double(row[b]) * cos(angle) + Double(row[a]) * sin(angle)
        }
        return turned
    }
}
