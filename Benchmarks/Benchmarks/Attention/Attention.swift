import Benchmark
import Foundation
import KVCompress
import Measure

// One decode step of one layer of Llama-3-8B's shape over 32,768 tokens, through the library, on all
// cores. The layers rotate so that the working set exceeds every cache. Before timing, outputs are
// compared with the f32 cache's.

private let queryHeads = 32
private let kvHeads = 8
private let dim = 128
private let tokens = 32_768

private func halves(seed: UInt64) -> Storage {
    var state = seed
    return Storage(
        copying: (0..<kvHeads * tokens * dim).map { _ -> UInt16 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt16(truncatingIfNeeded: state >> 40) & 0x8fff | 0x3000
        })
}

private func layer(seed: UInt64) -> CacheLayer {
    let keys = halves(seed: seed)
    let values = halves(seed: seed &+ 1000)
    func heads(_ storage: Storage) -> [Rows] {
        (0..<kvHeads).map {
            Rows(
                storage: storage, byteOffset: $0 * tokens * dim * 2, format: .f16, count: tokens,
                dim: dim)
        }
    }
    return CacheLayer(keys: heads(keys), values: heads(values))
}

private let queries = (0..<queryHeads).map { head in
    Rows((0..<dim).map { sin(Float(head * dim + $0)) }, dim: dim)
}

/// As many compressed layers as fill the working set; they share one source, not their bytes.
private func layers(_ plan: Plan) throws -> [CompressedCache] {
    let cache = try Cache(layers: [layer(seed: 7)])
    let first = try plan.compress(cache)
    let more = (1..<max(2, workingSet / first.report.storedBytes + 1)).map { _ in
        Result { try plan.compress(cache) }
    }
    return try [first] + more.map { try $0.get() }
}

private func check(_ cache: CompressedCache, against exact: [[Float]], bound: Float) throws {
    let outputs = try cache.attend(queries, layer: 0)
    for (output, exact) in zip(outputs, exact) {
        let difference = zip(output, exact).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
        let size = exact.map { $0 * $0 }.reduce(0, +)
        precondition(difference <= bound * bound * size, "attention is off by more than \(bound)")
    }
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .megabytesPerSecond, .bandwidthShare], maxDuration: .seconds(10),
        maxIterations: 40)
    let threads = ProcessInfo.processInfo.activeProcessorCount

    for (text, bound) in [
        ("f16", Float(1e-3)), ("q8", 2e-2), ("q4", 0.5), ("q4(rotate=hadamard)", 0.5),
        ("q4(keys=per-channel)", 0.5),
    ] {
        Benchmark("decode 32/8 heads d128 32768 tokens \(text)") {
            (benchmark: Benchmark, caches: [CompressedCache]) in
            for cache in caches {
                measure(benchmark, bytes: cache.report.storedBytes, threads: threads) {
                    var options = AttentionOptions()
                    options.workers = workers
                    blackHole(try? cache.attend(queries, layer: 0, options: options))
                }
            }
        } setup: { () -> [CompressedCache] in
            let caches = try layers(Plan(text))
            let exact = try Plan("f32").compress(Cache(layers: [layer(seed: 7)])).attend(
                queries, layer: 0)
            try check(caches[0], against: exact, bound: bound)
            return caches
        }
    }
}

private let workers = Workers(threads: ProcessInfo.processInfo.activeProcessorCount)
