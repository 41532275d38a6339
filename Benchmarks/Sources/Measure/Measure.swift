public import Benchmark
public import CKVKernels
import Foundation
import Synchronization

/// Bytes of data that every measurement walks over before it comes back to the first: four times the
/// largest shared cache that we measure on, so that nothing is served from it.
public let workingSet = 432 << 20

extension BenchmarkMetric {
    /// Bytes that the work must read at least once, by time.
    public static var megabytesPerSecond: BenchmarkMetric {
        .custom("MB/s", polarity: .prefersLarger, useScalingFactor: false)
    }
    /// The same as a share of what the memory delivered just before, to as many threads.
    public static var bandwidthShare: BenchmarkMetric {
        .custom("% of read bandwidth", polarity: .prefersLarger, useScalingFactor: false)
    }
}

/// The levels of the kernels that this machine runs, weakest first, with their names.
public let levels: [(isa: kv_isa, name: String)] = {
    let found = kv_isa_detect()
    let all: [(kv_isa, String)] = [
        (.scalar, "scalar"), (.avx2, "avx2"), (.avx512, "avx512"), (.neon, "neon"),
    ]
    return all.filter { found & (1 << $0.0.rawValue) != 0 }
}()

/// Memory to read from: `workingSet` bytes that are valid as f16, as codes and as signatures.
nonisolated(unsafe) public let data: UnsafeMutableRawPointer = {
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: workingSet, alignment: 4096)
    let words = bytes.assumingMemoryBound(to: UInt64.self)
    var state: UInt64 = 1
    for i in 0..<workingSet / 8 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Exponents of small halves: every 16 bits are a number of magnitude 2^-8 ... 2.
        words[i] = state & 0x9fff_9fff_9fff_9fff | 0x2000_2000_2000_2000
    }
    return bytes
}()

/// Read bandwidth of this machine in bytes a second: each thread reads its part of the working set.
public func readBandwidth(threads: Int) -> Double {
    let part = workingSet / threads / 64 * 64
    let source = SendablePointer(data)
    let clock = ContinuousClock()
    let times = (0..<3).map { _ in
        clock.measure {
            DispatchQueue.concurrentPerform(iterations: threads) { thread in
                sink.store(
                    kv_read_words(levels.last!.isa, source.pointer + thread * part, part),
                    ordering: .relaxed)
            }
        } / .seconds(1)
    }
    return Double(part * threads) / times.sorted()[1]
}

private let sink = Atomic<UInt64>(0)

private struct SendablePointer: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    init(_ pointer: UnsafeMutableRawPointer) { self.pointer = pointer }
}

/// Times one pass of `work` over `bytes` bytes beside a reading of the bandwidth taken just before it.
public func measure(
    _ benchmark: Benchmark, bytes: Int, threads: Int, work: () -> Void
) {
    let bandwidth = readBandwidth(threads: threads)
    let clock = ContinuousClock()
    benchmark.startMeasurement()
    let seconds = clock.measure(work) / .seconds(1)
    benchmark.stopMeasurement()
    let rate = Double(bytes) / seconds
    benchmark.measurement(.megabytesPerSecond, Int(rate / 1e6))
    benchmark.measurement(.bandwidthShare, Int(100 * rate / bandwidth))
}
