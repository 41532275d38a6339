internal import CKVKernels

extension Kernels {
    /// Signatures of `tokens` tokens, `page` at a time: bit h is set where a token comes before its
    /// head's cut.
    func packSignatures(
        _ signatures: UnsafeMutablePointer<UInt8>,
        bytes: Int,
        scores: UnsafePointer<Float>,
        stride: Int,
        tokens: Int,
        page: Int,
        cuts: [Ranking.Cut]
    ) {
        precondition(bytes == (page * cuts.count + 7) / 8 && tokens <= stride)
        kv_pack_signatures(
            isa,
            signatures,
            bytes,
            scores,
            stride,
            cuts.count,
            tokens,
            page,
            cuts.map(\.threshold),
            cuts.map(\.tieEnd)
        )
    }

    /// Bits in which each signature differs from the anchor.
    func hamming(
        _ signatures: UnsafePointer<UInt8>,
        count: Int,
        bytes: Int,
        anchor: [UInt8]
    ) -> [UInt32] {
        precondition(anchor.count == bytes)
        return [UInt32](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let distances = buffer.baseAddress {
                kv_hamming(isa, distances, signatures, count, bytes, anchor)
            }
            initialized = count
        }
    }

    /// The indices of the distances sorted by (distance, index).
    func order(byDistance distances: [UInt32], largest: Int) -> [UInt32] {
        precondition(distances.allSatisfy { $0 <= largest })
        var counts = [UInt32](repeating: 0, count: largest + 2)
        return [UInt32](unsafeUninitializedCapacity: distances.count) { buffer, initialized in
            if let order = buffer.baseAddress {
                kv_sort_by_distance(
                    isa,
                    order,
                    distances,
                    distances.count,
                    UInt32(largest),
                    &counts
                )
            }
            initialized = distances.count
        }
    }
}

/// Hamming distances of signatures that stand in a row to an anchor.
package struct SignatureDistances: Sendable {
    private let kernels: Kernels
    private let signatures: Storage
    private let bytes: Int

    /// - Parameters:
    ///   - signatures: packed, each of so many `bytes`.
    package init(_ signatures: Storage, bytes: Int, instructionSet: InstructionSet) {
        self.signatures = signatures
        self.bytes = bytes
        kernels = Kernels(instructionSet)
    }

    /// Bits in which each signature of a range differs from the anchor.
    package func callAsFunction(
        _ range: Range<Int>, to anchor: [UInt8], into distances: UnsafeMutablePointer<UInt32>
    ) {
        precondition(range.upperBound * bytes <= signatures.byteCount && anchor.count == bytes)
        kv_hamming(
            kernels.isa, distances,
            signatures.base.assumingMemoryBound(to: UInt8.self) + range.lowerBound * bytes,
            range.count, bytes, anchor)
    }
}
