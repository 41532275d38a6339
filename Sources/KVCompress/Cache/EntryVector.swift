/// One stored number for every entry of a segment.
struct EntryVector: Sendable {
    /// What is stored and what is meant by it.
    enum Format: String, Sendable, Codable {
        /// The number, as a half: norms of shared directions, fitted logit biases.
        case f16
        /// How many tokens an entry stands for, as u16; the logit bias meant is its logarithm.
        case votes
    }

    /// The most votes that an entry can hold.
    static let mostVotes = Int(UInt16.max)

    let format: Format
    let storage: Storage
    let byteOffset: Int
    let count: Int

    /// Bytes of so many numbers.
    static func bytes(_ count: Int) -> Int { count * 2 }

    private var halves: UnsafeMutablePointer<UInt16> {
        (storage.base + byteOffset).assumingMemoryBound(to: UInt16.self)
    }

    /// Stores the numbers, votes as what they count.
    func write(_ numbers: [Float], kernels: Kernels) {
        precondition(numbers.count == count)
        switch format {
        case .f16: kernels.convert(numbers, count: count, to: .f16, at: halves)
        case .votes: for index in 0..<count { halves[index] = UInt16(numbers[index]) }
        }
    }

    /// Writes what entries of a range mean as f32.
    func expand(_ range: Range<Int>, to floats: UnsafeMutablePointer<Float>, kernels: Kernels) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        switch format {
        case .f16:
            kernels.convert(halves: halves + range.lowerBound, count: range.count, to: floats)
        case .votes:
            for index in 0..<range.count {
                floats[index] = Float(halves[range.lowerBound + index])
            }
            kernels.takeLogarithms(UnsafeMutableBufferPointer(start: floats, count: range.count))
        }
    }

    /// The number that is stored for an entry.
    func stored(_ index: Int) -> Float {
        precondition(index >= 0 && index < count)
        return format == .votes ? Float(halves[index]) : Kernels.best.float(half: halves[index])
    }
}
