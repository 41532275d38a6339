public import Benchmark
public import CKVKernels
import Foundation
public import KVCompress

extension BenchmarkMetric {
    /// Bytes that the work must move at least once, by time.
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

/// Memory to read from: `Bandwidth.workingSet` bytes that are valid as f16, f32, codes and signatures.
nonisolated(unsafe) public let data: UnsafeMutableRawPointer = {
    let storage = Storage(byteCount: Bandwidth.workingSet) { bytes in
        let words = bytes.assumingMemoryBound(to: UInt64.self)
        var state: UInt64 = 1
        for i in words.indices {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Exponents of small halves: every 16 bits are a number of magnitude 2^-8 ... 2.
            words[i] = state & 0x9fff_9fff_9fff_9fff | 0x2000_2000_2000_2000
        }
    }
    // It lives as long as the process.
    _ = Unmanaged.passRetained(storage)
    return UnsafeMutableRawPointer(mutating: storage.bytes.baseAddress!)
}()

private let bandwidth = Bandwidth()

/// Times one pass of `work` over `bytes` bytes beside a reading of the bandwidth taken just before it.
public func measure(
    _ benchmark: Benchmark, bytes: Int, workers: Workers = .caller, work: () -> Void
) {
    let most = bandwidth.read(workers: workers)
    let clock = ContinuousClock()
    benchmark.startMeasurement()
    let seconds = clock.measure(work) / .seconds(1)
    benchmark.stopMeasurement()
    let rate = Double(bytes) / seconds
    benchmark.measurement(.megabytesPerSecond, Int(rate / 1e6))
    benchmark.measurement(.bandwidthShare, Int(100 * rate / most))
}
