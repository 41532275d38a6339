internal import CZstd
import KVCompress

/// How a section was packed without loss: its bytes split into planes, and these through zstd.
///
/// Plane p holds the bytes p, p + planes, p + 2 planes, ...: in numbers of two bytes the exponents resemble
/// each other, and side by side they pack well, while the rest is nearly noise.
public struct Packing: Hashable, Sendable {
    /// Planes that the bytes were split into: 1 (as they were), 2 or 4.
    public let planes: Int
    /// Bytes of the section when it is unpacked.
    public let byteCount: Int

    /// The valid numbers of planes.
    static let choices = [1, 2, 4]
    /// A section is at most so many times longer than its packed bytes, so that a short file cannot ask for
    /// endless memory; what would shrink more stays as it is.
    static let limit = 64

    /// Packs bytes every way and keeps the shortest; nil when that does not make them shorter.
    static func pack(_ bytes: UnsafeRawBufferPointer) -> (packing: Packing, packed: [UInt8])? {
        var best: (packing: Packing, packed: [UInt8])?
        for planes in choices {
            let packed =
                planes == 1 ? compress(bytes) : split(bytes, planes).withUnsafeBytes(compress)
            if packed.count < best?.packed.count ?? bytes.count {
                best = (Packing(planes: planes, byteCount: bytes.count), packed)
            }
        }
        return best.flatMap { bytes.count <= limit * $0.packed.count ? $0 : nil }
    }

    /// The bytes again, or nil when the packed ones are no zstd frame of so many.
    func unpack(_ packed: UnsafeRawBufferPointer) -> Storage? {
        guard ZSTD_getFrameContentSize(packed.baseAddress, packed.count) == UInt64(byteCount) else {
            return nil
        }
        var isWhole = false
        func fill(_ bytes: UnsafeMutableRawBufferPointer) {
            let count = ZSTD_decompress(
                bytes.baseAddress, bytes.count, packed.baseAddress, packed.count)
            isWhole = ZSTD_isError(count) == 0 && count == byteCount
        }
        guard planes > 1 else {
            let storage = Storage(byteCount: byteCount, filledBy: fill)
            return isWhole ? storage : nil
        }
        let split = Storage(byteCount: byteCount, filledBy: fill)
        return isWhole
            ? Storage(byteCount: byteCount) { Self.join(split.bytes, planes, into: $0) } : nil
    }

    private static func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            count = ZSTD_compress(
                buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count,
                ZSTD_defaultCLevel())
            precondition(ZSTD_isError(count) == 0, "zstd cannot fail with so much room")
        }
    }

    private static func split(_ bytes: UnsafeRawBufferPointer, _ planes: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            for plane in 0..<planes {
                for index in stride(from: plane, to: bytes.count, by: planes) {
                    buffer[count] = bytes[index]
                    count += 1
                }
            }
        }
    }

    private static func join(
        _ split: UnsafeRawBufferPointer, _ planes: Int, into bytes: UnsafeMutableRawBufferPointer
    ) {
        var next = 0
        for plane in 0..<planes {
            for index in stride(from: plane, to: bytes.count, by: planes) {
                bytes[index] = split[next]
                next += 1
            }
        }
    }
}
