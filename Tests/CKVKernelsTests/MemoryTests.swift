import CKVKernels
import Testing

/// Scalar memory/ against the references.
@Suite struct MemoryTests {
    @Test func checksumsAreCastagnolis() {
        #expect(kv_crc32c(.scalar, 0, Array("123456789".utf8), 9) == 0xe306_9283)
        #expect(kv_crc32c(.scalar, 0, [UInt8](repeating: 0, count: 32), 32) == 0x8a91_36aa)
        var random = Random(70)
        for _ in 0..<100 {
            let bytes = (0..<random.int(0...300)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let crc = kv_crc32c(.scalar, 0, bytes, bytes.count)
            #expect(crc == Reference.crc32c(bytes))
            let cut = random.int(0...bytes.count)
            let front = kv_crc32c(.scalar, 0, bytes, cut)
            #expect(kv_crc32c(.scalar, front, Array(bytes[cut...]), bytes.count - cut) == crc)
        }
    }

    @Test func wordsAreReadOnce() {
        var random = Random(71)
        for _ in 0..<100 {
            let bytes = (0..<random.int(0...300)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(kv_read_words(.scalar, bytes, bytes.count) == Reference.exclusiveOr(bytes))
        }
    }
}
