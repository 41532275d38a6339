/// Random numbers of a seed, the same everywhere (Steele, Lea and Flood, 2014).
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(state: UInt64) { self.state = state }

    /// Starts at a seed.
    public init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &self) }

    /// Some of a range, all different, in random order.
    mutating func sample(_ count: Int, of range: Range<Int>) -> [Int] {
        Array(range.shuffled(using: &self).prefix(count))
    }
}
