import Benchmark
import CKVKernels
import KVCompress
import Measure

// Each kernel at each level in each shape, on one thread, over a working set that no cache holds.
// Correctness is the tests' matter: every level gives the same bits.

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .megabytesPerSecond, .bandwidthShare], maxDuration: .seconds(4),
        maxIterations: 5)
    let scratch = Scratch()
    for kernel in rowKernels + attentionKernels + quantizedKernels + otherKernels {
        for shape in kernel.shapes {
            let bytes = kernel.bytes(shape)
            let suffix = kernel.shapes.count > 1 ? " d\(shape.dim) x\(shape.rows)" : ""
            for level in levels {
                Benchmark("\(kernel.name)\(suffix) \(level.name)") { benchmark in
                    // Scalar code is read, not waited for.
                    let most =
                        level.isa == .scalar ? Bandwidth.workingSet / 16 : Bandwidth.workingSet
                    kernel.prepare(level.isa, shape, scratch)
                    measure(benchmark, bytes: most / bytes * bytes) {
                        for index in 0..<most / bytes {
                            kernel.call(
                                level.isa, shape, Block(base: data + index * bytes), scratch)
                        }
                    }
                    blackHole(scratch.output[0])
                }
            }
        }
    }
}
