import CKVKernels
import Testing

/// The quantized formats by the header's description of their bytes.
struct QuantizedFormat: CustomTestStringConvertible, Sendable {
    let bits: Int
    var perChannel = false
    var asymmetric = false
    var values: Bool
    /// With a codebook: what the codes stand for, and the scale of numbers whose mean square is 1.
    var levels: [Int8]?
    var step: Float = 0

    /// Codes that stand for themselves.
    static let uniform: [QuantizedFormat] = [8, 4, 3, 2].flatMap { bits in
        (0..<8).map {
            .init(bits: bits, perChannel: $0 & 1 > 0, asymmetric: $0 & 2 > 0, values: $0 & 4 > 0)
        }
    }

    /// Levels that lie closer in the middle, as those of a bell-shaped density do.
    static let codebooks: [QuantizedFormat] = [4, 3, 2].flatMap { bits in
        [false, true].map { values in
            let half = 1 << (bits - 1)
            let positive = (1...half).map { Int8(127 * $0 * ($0 + half) / (2 * half * half)) }
            return .init(
                bits: bits,
                values: values,
                levels: positive.reversed().map { -$0 } + positive,
                step: 0.02
            )
        }
    }

    static let all = uniform + codebooks

    var testDescription: String {
        "q\(bits) \(values ? "values" : "keys") per \(perChannel ? "channel" : "token")"
            + (asymmetric ? " asymmetric" : "") + (levels == nil ? "" : " codebook")
    }

    /// The largest code, before the offset under which symmetric codes are stored.
    var largest: Int { asymmetric ? 1 << bits - 1 : 1 << (bits - 1) - 1 }
    var offset: Int { asymmetric ? 0 : 1 << (bits - 1) }

    func quantizer(dim: Int, group: Int) -> kv_quantizer {
        var quantizer = kv_quantizer()
        quantizer.dim = UInt32(dim)
        quantizer.group = UInt32(group)
        quantizer.per_channel = perChannel
        quantizer.asymmetric = asymmetric
        quantizer.values = values
        guard let levels else { return quantizer }
        quantizer.codebook = true
        quantizer.step = step
        withUnsafeMutableBytes(of: &quantizer.levels) {
            $0.copyBytes(from: levels.map(UInt8.init(bitPattern:)))
        }
        return quantizer
    }

    /// Codes of one lane in 32 bits, the lower two of three.
    private var vectorCodes: Int { [8: 4, 4: 8, 3: 16, 2: 16][bits]! }

    /// Bytes of a vector of `lanes` lanes.
    private func vectorBytes(lanes: Int) -> Int {
        4 * lanes + (bits == 3 ? 4 * ((lanes + 1) / 2) : 0)
    }

    func codeBytes(dim: Int) -> Int {
        let (lanes, length) = values ? (dim, 16) : (16, dim)
        return (length + vectorCodes - 1) / vectorCodes * vectorBytes(lanes: lanes)
    }

    func tileBytes(dim: Int, group: Int) -> Int {
        let groups = perChannel ? 0 : (dim + group - 1) / group
        return codeBytes(dim: dim) + groups * 16 * 2 * (asymmetric ? 2 : 1)
    }

    /// A part of a code: its byte, the shift in it, and how many bits it has.
    typealias Part = (byte: Int, shift: Int, bits: Int)

    /// Where the code of a token (within its tile) and an element lies, lowest bits first.
    func parts(token: Int, element: Int, dim: Int) -> [Part] {
        let (i, lane, lanes) = values ? (token, element, dim) : (element, token, 16)
        let start = i / vectorCodes * vectorBytes(lanes: lanes)
        let quad = i % vectorCodes / 4, lower = bits == 3 ? 2 : bits
        let first = (start + 4 * lane + i % 4, quad * lower, lower)
        guard bits == 3 else { return [first] }
        let nibble = start + 4 * lanes + quad * ((lanes + 1) / 2) + lane / 2
        return [first, (nibble, lane % 2 * 4 + i % 4, 1)]
    }
}

/// Encoded rows, and the reading of them that the references share.
struct QuantizedRows {
    let format: QuantizedFormat
    let dim: Int
    let group: Int
    let n: Int
    var tiles: [UInt8]
    var scales: [UInt16]
    var zeros: [UInt16]

    var quantizer: kv_quantizer { format.quantizer(dim: dim, group: group) }
    var tileBytes: Int { format.tileBytes(dim: dim, group: group) }

    /// The code as stored, with its offset.
    func stored(_ token: Int, _ element: Int) -> Int {
        let parts = format.parts(token: token % 16, element: element, dim: dim)
        return parts.reversed().reduce(0) { code, part in
            let byte = Int(tiles[token / 16 * tileBytes + part.byte])
            return code << part.bits | byte >> part.shift & (1 << part.bits - 1)
        }
    }

    func code(_ token: Int, _ element: Int) -> Int { stored(token, element) - format.offset }

    /// The code as integer dots take it: its level, or counted from the middle one.
    func centred(_ token: Int, _ element: Int) -> Int {
        let code = stored(token, element)
        return format.levels.map { Int($0[code]) } ?? code - (1 << (format.bits - 1))
    }

    /// What a centred code is off by: the value of the middle code.
    func middle(_ token: Int, _ element: Int) -> Double {
        guard format.asymmetric else { return 0 }
        return Double(1 << (format.bits - 1)) * scale(token, element) + zero(token, element)
    }

    /// The f16 scale (`plane` 0) or zero (`plane` 1) of an element.
    private func parameter(_ token: Int, _ element: Int, plane: Int) -> Double {
        if format.perChannel {
            return SmallFloat.f16.value(
                (plane == 0 ? scales : zeros)[token / group * dim + element]
            )
        }
        let groups = (dim + group - 1) / group
        let half = (plane * groups + element / group) * 16 + token % 16
        let byte = token / 16 * tileBytes + format.codeBytes(dim: dim) + 2 * half
        return SmallFloat.f16.value(UInt16(tiles[byte]) | UInt16(tiles[byte + 1]) << 8)
    }

    func scale(_ token: Int, _ element: Int) -> Double { parameter(token, element, plane: 0) }

    func zero(_ token: Int, _ element: Int) -> Double {
        format.asymmetric ? parameter(token, element, plane: 1) : 0
    }

    /// The elements, as (token, element), that share a scale.
    var groups: [[(token: Int, element: Int)]] {
        if format.perChannel {
            return (0..<n / group).flatMap { g in
                (0..<dim).map { c in (0..<group).map { (g * group + $0, c) } }
            }
        }
        return (0..<n).flatMap { t in
            stride(from: 0, to: dim, by: group).map { start in
                (start..<min(start + group, dim)).map { (t, $0) }
            }
        }
    }

    /// Every product and sum below is exact in Double, so the one conversion rounds as an fma does.
    func decoded() -> [Float] {
        (0..<n * dim).map {
            let (t, c) = ($0 / dim, $0 % dim)
            let factor = format.asymmetric ? code(t, c) : centred(t, c)
            return Float(Double(factor) * scale(t, c) + zero(t, c))
        }
    }
}

/// A query in 16-bit fixed point, read by the header's layout.
struct PreparedQuery {
    let step: Float
    let sums: [Int]
    let q: [Int]
    let high: [Int]
    let low: [Int]
    let rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>, dim: Int, group: Int) {
        let groups = (dim + group - 1) / group
        let padded = (dim + 15) / 16 * 16
        var at = bytes.startIndex
        func next<T>(_ type: T.Type) -> T {
            defer { at += MemoryLayout<T>.size }
            return bytes[at..<at + MemoryLayout<T>.size].withUnsafeBytes {
                $0.loadUnaligned(as: type)
            }
        }
        step = next(Float.self)
        sums = (0..<groups).map { _ in Int(next(Int32.self)) }
        q = (0..<padded).map { _ in Int(next(Int16.self)) }
        high = (0..<padded).map { _ in Int(next(Int8.self)) }
        low = (0..<padded).map { _ in Int(next(Int8.self)) }
        rest = bytes[at...]
    }
}
