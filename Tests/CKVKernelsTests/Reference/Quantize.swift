import CKVKernels
import Testing

/// q8 and q4 by the header's description of their bytes.
struct QuantizedFormat: CustomTestStringConvertible, Sendable {
    let bits: Int
    let perChannel: Bool
    let asymmetric: Bool
    let values: Bool

    static let all: [QuantizedFormat] = [8, 4].flatMap { bits in
        (0..<8).map {
            .init(bits: bits, perChannel: $0 & 1 > 0, asymmetric: $0 & 2 > 0, values: $0 & 4 > 0)
        }
    }

    var testDescription: String {
        "q\(bits) \(values ? "values" : "keys") per \(perChannel ? "channel" : "token")"
            + (asymmetric ? " asymmetric" : "")
    }

    /// The largest code, before the offset under which symmetric codes are stored.
    var largest: Int { asymmetric ? 1 << bits - 1 : 1 << (bits - 1) - 1 }
    var offset: Int { asymmetric ? 0 : 1 << (bits - 1) }

    func quantizer(dim: Int, group: Int) -> kv_quantizer {
        kv_quantizer(
            dim: UInt32(dim),
            group: UInt32(group),
            per_channel: perChannel,
            asymmetric: asymmetric,
            values: values
        )
    }

    func codeBytes(dim: Int) -> Int {
        let perQuad = bits == 8 ? 4 : 8
        return values ? 16 / perQuad * dim * 4 : (dim + perQuad - 1) / perQuad * 64
    }

    func tileBytes(dim: Int, group: Int) -> Int {
        let groups = perChannel ? 0 : (dim + group - 1) / group
        return codeBytes(dim: dim) + groups * 16 * 2 * (asymmetric ? 2 : 1)
    }

    /// Where the code of a token (within its tile) and an element lies: its byte, and the shift in it.
    func place(token: Int, element: Int, dim: Int) -> (byte: Int, shift: Int) {
        let (quads, lane, lanes) = values ? (token, element, dim) : (element, token, 16)
        if bits == 8 { return ((quads / 4 * lanes + lane) * 4 + quads % 4, 0) }
        return ((quads / 8 * lanes + lane) * 4 + quads % 4, quads % 8 < 4 ? 0 : 4)
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
        let (byte, shift) = format.place(token: token % 16, element: element, dim: dim)
        return Int(tiles[token / 16 * tileBytes + byte]) >> shift & (1 << format.bits - 1)
    }

    func code(_ token: Int, _ element: Int) -> Int { stored(token, element) - format.offset }

    /// The code as integer dots take it, from the middle one.
    func centred(_ token: Int, _ element: Int) -> Int {
        stored(token, element) - (1 << (format.bits - 1))
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
            return Float(Double(code(t, c)) * scale(t, c) + zero(t, c))
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
        let padded = (dim + 7) / 8 * 8
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
