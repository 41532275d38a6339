/// splitmix64: the same numbers on every machine.
///
/// A test makes its own from the run's seed, and a number that keeps tests apart.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(_ test: UInt64) { state = Run.seed &* 0xd134_2543_de82_ef95 &+ test }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    mutating func unit() -> Float { Float.random(in: -1..<1, using: &self) }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func chance(_ percent: Int) -> Bool { int(0...99) < percent }

    /// Roughly normal, with standard deviation 1.
    mutating func normal() -> Float { (unit() + unit() + unit()) }

    mutating func normals(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in normal() * scale }
    }

    /// Rows as keys look: normal, with a few channels that are several times louder, and off center.
    mutating func keys(_ n: Int, dim: Int) -> [Float] {
        let loudness = (0..<dim).map { _ in chance(8) ? Float(4) : 1 }
        let center = loudness.map { $0 > 1 ? 5 * unit() : 0.3 * unit() }
        return (0..<n * dim).map { normal() * loudness[$0 % dim] + center[$0 % dim] }
    }

    /// A head dim: every tail, and the usual sizes with their neighbours.
    mutating func dim() -> Int {
        guard chance(40) else { return int(1...40) }
        return min(1024, [64, 80, 96, 128, 256, 1024].randomElement(using: &self)! + int(-1...1))
    }
}
