/// Gumbel noise -ln(-ln u) that depends on the seed and the place alone, the same on every machine.
func gumbel(_ parts: Int...) -> Double {
    // 52 bits and a half: strictly between 0 and 1, and so is what it is subtracted from.
    let uniform = (Double(noise(parts) >> 12) + 0.5) * 0x1p-52
    return -naturalLogarithm(-naturalLogarithm(uniform))
}

/// The natural logarithm of a positive normal number, the same bits on every machine, unlike libm's.
///
/// x = m 2^e with m within a factor of the root of 2 around 1, s = (m - 1) / (m + 1), and
/// ln x = e ln 2 + 2 (s + s³/3 + s⁵/5 ... s²¹/21), each operation rounded once: within 2 ulp or 1e-15.
func naturalLogarithm(_ x: Double) -> Double {
    precondition(x.isNormal && x > 0)
    var exponent = Double(x.exponent), mantissa = x.significand
    if mantissa > 1.4142135623730951 {
        mantissa /= 2
        exponent += 1
    }
    let s = (mantissa - 1) / (mantissa + 1), square = s * s
    var series = 0.0
    for power in stride(from: 21, through: 1, by: -2) {
        series = series * square + 1 / Double(power)
    }
    return exponent * 0.6931471805599453 + 2 * s * series
}
