import Benchmark
import CKVKernels
import Measure

// Each kernel at each level, on one thread, over a working set that no cache holds. Correctness is the
// tests' matter: every level gives the same bits.

private let dim = 128
private let rows = 4
private let block = 64

private func quantizer(values: Bool) -> kv_quantizer {
    var quantizer = kv_quantizer()
    quantizer.dim = UInt32(dim)
    quantizer.group = 32
    quantizer.values = values
    return quantizer
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .megabytesPerSecond, .bandwidthShare], maxDuration: .seconds(4),
        maxIterations: 5)

    for level in levels {
        Benchmark("score f16 \(level.name)") { benchmark in
            let queries = [Float](repeating: 0.5, count: rows * dim)
            var logits = [Float](repeating: 0, count: rows * block)
            let blockBytes = block * dim * 2
            measure(benchmark, bytes: workingSet, threads: 1) {
                for start in stride(from: 0, to: workingSet, by: blockBytes) {
                    kv_score_f16(
                        level.isa, &logits, block, queries, rows, dim,
                        (data + start).assumingMemoryBound(to: UInt16.self), dim, block)
                }
            }
            blackHole(logits)
        }

        Benchmark("accumulate f16 \(level.name)") { benchmark in
            let weights = [Float](repeating: 0.01, count: rows * block)
            let rescale = [Float](repeating: 1, count: rows)
            var accumulator = [Float](repeating: 0, count: rows * dim)
            let blockBytes = block * dim * 2
            measure(benchmark, bytes: workingSet, threads: 1) {
                for start in stride(from: 0, to: workingSet, by: blockBytes) {
                    kv_accumulate_f16(
                        level.isa, &accumulator, rescale, rows, dim, weights, block,
                        (data + start).assumingMemoryBound(to: UInt16.self), dim, block, nil, 0)
                }
            }
            blackHole(accumulator)
        }

        for bits in [8, 4, 3, 2] {
            let tileBytes = [
                8: kv_tile_bytes_q8, 4: kv_tile_bytes_q4, 3: kv_tile_bytes_q3, 2: kv_tile_bytes_q2,
            ][bits]!
            let blockBytes = tileBytes(quantizer(values: false)) * block / 16

            Benchmark("score q\(bits) \(level.name)") { benchmark in
                let score = [8: kv_score_q8, 4: kv_score_q4, 3: kv_score_q3, 2: kv_score_q2][bits]!
                let queries = (0..<rows * dim).map { Float($0 % 7) - 3 }
                var prepared = [UInt64](repeating: 0, count: rows * kv_prepared_bytes(dim, 32) / 8)
                kv_prepare_queries(level.isa, &prepared, queries, rows, dim, 32)
                var logits = [Float](repeating: 0, count: rows * block)
                measure(benchmark, bytes: workingSet / blockBytes * blockBytes, threads: 1) {
                    for index in 0..<workingSet / blockBytes {
                        score(
                            level.isa, &logits, block, prepared, rows,
                            (data + index * blockBytes).assumingMemoryBound(to: UInt8.self), nil,
                            nil, 0,
                            block, quantizer(values: false))
                    }
                }
                blackHole(logits)
            }

            Benchmark("accumulate q\(bits) \(level.name)") { benchmark in
                let accumulate = [
                    8: kv_accumulate_q8, 4: kv_accumulate_q4, 3: kv_accumulate_q3,
                    2: kv_accumulate_q2,
                ][bits]!
                let weights = (0..<rows * block).map { 1 / Float($0 + 1) }
                let rescale = [Float](repeating: 1, count: rows)
                var accumulator = [Float](repeating: 0, count: rows * dim)
                measure(benchmark, bytes: workingSet / blockBytes * blockBytes, threads: 1) {
                    for index in 0..<workingSet / blockBytes {
                        accumulate(
                            level.isa, &accumulator, rescale, rows, weights, block,
                            (data + index * blockBytes).assumingMemoryBound(to: UInt8.self), nil,
                            nil, 0,
                            block, nil, 0, quantizer(values: true))
                    }
                }
                blackHole(accumulator)
            }

            Benchmark("encode q\(bits) \(level.name)") { benchmark in
                let encode = [
                    8: kv_encode_q8, 4: kv_encode_q4, 3: kv_encode_q3, 2: kv_encode_q2,
                ][bits]!
                let rowBytes = block * dim * 4
                var tiles = [UInt8](repeating: 0, count: blockBytes)
                // A part of the data: encoding computes more for each byte than the others.
                let bytes = workingSet / 4 / rowBytes * rowBytes
                measure(benchmark, bytes: bytes, threads: 1) {
                    for start in stride(from: 0, to: bytes, by: rowBytes) {
                        encode(
                            level.isa, &tiles, nil, nil,
                            (data + start).assumingMemoryBound(to: Float.self), dim, block,
                            quantizer(values: false))
                    }
                }
                blackHole(tiles)
            }
        }

        Benchmark("hamming 32 bits \(level.name)") { benchmark in
            let count = workingSet / 4
            let chunk = 1 << 16
            let anchor: [UInt8] = [0xaa, 0xaa, 0xaa, 0xaa]
            var distances = [UInt32](repeating: 0, count: chunk)
            measure(benchmark, bytes: workingSet, threads: 1) {
                for first in stride(from: 0, to: count, by: chunk) {
                    kv_hamming(
                        level.isa, &distances,
                        (data + first * 4).assumingMemoryBound(to: UInt8.self),
                        min(chunk, count - first), 4, anchor)
                }
            }
            blackHole(distances)
        }

        Benchmark("read \(level.name)") { benchmark in
            measure(benchmark, bytes: workingSet, threads: 1) {
                blackHole(kv_read_words(level.isa, data, workingSet))
            }
        }
    }
}
