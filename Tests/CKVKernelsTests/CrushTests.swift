import CKVKernels
import Testing

/// Scalar crush/ against the references.
@Suite struct CrushTests {
    static func pack(_ scores: [[Float]], page: Int, threshold: [Float], tieEnd: [Int]) -> [[UInt8]]
    {
        let (heads, tokens) = (scores.count, scores[0].count)
        let bytes = (page * heads + 7) / 8
        let count = (tokens + page - 1) / page
        var signatures = [UInt8](repeating: 0xee, count: count * bytes)
        kv_pack_signatures(
            .scalar,
            &signatures,
            bytes,
            scores.flatMap { $0 },
            tokens,
            heads,
            tokens,
            page,
            threshold,
            tieEnd.map(UInt32.init)
        )
        return (0..<count).map { Array(signatures[$0 * bytes..<($0 + 1) * bytes]) }
    }

    static func distances(_ signatures: [[UInt8]], to anchor: [UInt8]) -> [Int] {
        var distances = [UInt32](repeating: 0, count: signatures.count)
        kv_hamming(
            .scalar,
            &distances,
            signatures.flatMap { $0 },
            signatures.count,
            anchor.count,
            anchor
        )
        return distances.map(Int.init)
    }

    static func sort(_ distances: [Int], largest: Int) -> [Int] {
        var order = [UInt32](repeating: 0, count: distances.count)
        var counts = [UInt32](repeating: 0xee, count: largest + 2)
        kv_sort_by_distance(
            .scalar,
            &order,
            distances.map(UInt32.init),
            distances.count,
            UInt32(largest),
            &counts
        )
        return order.map(Int.init)
    }

    @Test func signaturesMarkTheBetterHalf() {
        var random = Random(60)
        for _ in 0..<200 {
            let (heads, tokens) = (random.int(1...40), random.int(1...120))
            let page = random.chance(50) ? 1 : random.int(2...32)
            // Coarse scores, so that thresholds tie.
            let scores = (0..<heads).map { _ in
                (0..<tokens).map { _ in Float(random.int(0...9)) / 8 }
            }
            let chosen = scores.map { Reference.threshold($0, count: tokens / 2) }
            let (threshold, tieEnd) = (chosen.map(\.value), chosen.map(\.tieEnd))
            let packed = Self.pack(scores, page: page, threshold: threshold, tieEnd: tieEnd)
            let expected = Reference.signatures(
                scores,
                page: page,
                threshold: threshold,
                tieEnd: tieEnd
            )
            #expect(packed == expected.map { Reference.packed($0, bytes: (page * heads + 7) / 8) })
            let ones = packed.joined().reduce(0) { $0 + $1.nonzeroBitCount }
            #expect(ones == heads * (tokens / 2), "exactly half of every head's tokens")
        }
    }

    @Test func distancesCountDifferingBits() {
        var random = Random(61)
        for _ in 0..<200 {
            let (bytes, count) = (random.int(1...70), random.int(0...50))
            let signatures = (0..<count).map { _ in
                (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            let anchor = (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(
                Self.distances(signatures, to: anchor)
                    == signatures.map { Reference.hamming($0, anchor) }
            )
        }
    }

    @Test func sortingIsStable() {
        var random = Random(62)
        for _ in 0..<200 {
            let largest = random.int(0...300)
            let distances = (0..<random.int(0...200)).map { _ in random.int(0...largest) }
            let expected = distances.indices.sorted { (distances[$0], $0) < (distances[$1], $1) }
            #expect(Self.sort(distances, largest: largest) == expected)
        }
    }

    /// The facts of OpenVINO GenAI's KVCrush unit tests that concern kernels: five blocks of four
    /// indicator bits, one head, and the anchor 1010 that is their mean.
    @Test func openVINOsIndicators() {
        let bits: [Float] = [1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
        let signatures = Self.pack([bits], page: 4, threshold: [0.5], tieEnd: [0])
        #expect(signatures == [[0b0101], [0b0011], [0b0111], [0b0100], [0b0000]])
        let distances = Self.distances(signatures, to: [0b0101])
        #expect(distances == [0, 2, 1, 1, 2])
        #expect(Self.sort(distances, largest: 4) == [0, 2, 3, 1, 4])
    }
}
