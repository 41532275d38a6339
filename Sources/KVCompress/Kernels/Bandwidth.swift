internal import CKVKernels
import Foundation

/// What the memory of this machine delivers: the measure of every kernel that reads more than it computes.
public final class Bandwidth: Sendable {
    /// Bytes that a measurement should walk over before it comes back to the first: four times the largest
    /// shared cache that was measured on, so that nothing is served from it.
    public static let workingSet = 432 << 20

    private let memory: Storage

    /// Memory to measure with, in huge pages where there are any.
    ///
    /// - Parameter byteCount: bytes to walk over, at least 4096; few for what a cache delivers.
    public init(byteCount: Int = workingSet) {
        precondition(byteCount >= 4096)
        memory = Allocator().allocate(byteCount)
    }

    /// Bytes a second that the threads read together.
    ///
    /// - Parameters:
    ///   - workers: each thread reads parts of the memory, one after the other.
    ///   - passes: times that each part is read in a row.
    /// - Returns: bytes a second, the start of the threads included.
    public func read(workers: Workers, passes: Int = 1) -> Double {
        let isa = Kernels(InstructionSet.supported.last!).isa
        return rate(of: memory.byteCount * passes) {
            parts(memory.byteCount, workers) { [memory] start, count in
                for _ in 0..<passes { _ = kv_read_words(isa, memory.base + start, count) }
            }
        }
    }

    /// Bytes a second, read and written, that the threads copy together with `memcpy`.
    ///
    /// - Parameter workers: each thread copies parts of one half of the memory to the other.
    /// - Returns: bytes a second, those read and those written.
    public func copy(workers: Workers) -> Double {
        let half = memory.byteCount / 128 * 64
        return rate(of: 2 * half) {
            parts(half, workers) { [memory] start, count in
                _ = memcpy(memory.base + half + start, memory.base + start, count)
            }
        }
    }

    private func rate(of bytes: Int, _ work: () -> Void) -> Double {
        Double(bytes) / (ContinuousClock().measure(work) / .seconds(1))
    }

    /// A part for each thread where all fits the caches; else four, so that nobody waits for the slowest.
    private func parts(
        _ count: Int, _ workers: Workers, _ body: @escaping @Sendable (Int, Int) -> Void
    ) {
        let number = workers.threads * (count >= Self.workingSet / 2 ? 4 : 1)
        let part = (count / number + 63) / 64 * 64
        workers.run(number) { index in
            let start = min(index * part, count)
            body(start, min(part, count - start))
        }
    }
}
