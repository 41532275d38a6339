/// A 16-bit floating-point format, by its definition.
struct SmallFloat {
    let exponentBits: Int
    let mantissaBits: Int

    static let f16 = SmallFloat(exponentBits: 5, mantissaBits: 10)
    static let bf16 = SmallFloat(exponentBits: 8, mantissaBits: 7)

    private var bias: Int { 1 << (exponentBits - 1) - 1 }
    private var allOnes: Int { 1 << exponentBits - 1 }
    private func power(_ exponent: Int) -> Double {
        Double(sign: .plus, exponent: exponent, significand: 1)
    }

    /// The number that a pattern stands for.
    func value(_ bits: UInt16) -> Double {
        let exponent = Int(bits) >> mantissaBits & allOnes
        let mantissa = Double(Int(bits) & (1 << mantissaBits - 1))
        let step = power(max(exponent, 1) - bias - mantissaBits)
        var magnitude = (exponent > 0 ? mantissa + power(mantissaBits) : mantissa) * step
        if exponent == allOnes { magnitude = mantissa > 0 ? .nan : .infinity }
        return bits >> 15 == 1 ? -magnitude : magnitude
    }

    /// The pattern nearest to `x`, even where two are equally near.
    func nearest(_ x: Float) -> UInt16 {
        let sign: UInt16 = x.sign == .minus ? 0x8000 : 0
        let infinity = UInt16(allOnes << mantissaBits)
        if x.isNaN { return sign | infinity | 1 << (mantissaBits - 1) }
        if x.isInfinite { return sign | infinity }
        let magnitude = Double(x.magnitude)
        let exponent = magnitude == 0 ? 1 - bias : max(Int(magnitude.exponent), 1 - bias)
        let steps = (magnitude / power(exponent - mantissaBits)).rounded(.toNearestOrEven)
        // A carry out of the mantissa steps into the next exponent, and past the last into infinity.
        let normal = (exponent + bias - 1) << mantissaBits
        return sign | UInt16(min(normal + Int(steps), Int(infinity)))
    }
}
