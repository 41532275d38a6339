extension Reference {
    /// CRC-32C bit by bit: reflected polynomial 0x1EDC6F41, inverted at both ends.
    static func crc32c(_ bytes: some Sequence<UInt8>, from start: UInt32 = 0) -> UInt32 {
        var crc = ~start
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
        }
        return ~crc
    }

    static func exclusiveOr(_ bytes: [UInt8]) -> UInt64 {
        (0..<bytes.count / 8).reduce(0) { words, i in
            words ^ (0..<8).reduce(0) { $0 | UInt64(bytes[i * 8 + $1]) << (8 * $1) }
        }
    }
}
