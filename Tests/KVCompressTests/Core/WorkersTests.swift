import Foundation
import Synchronization
import Testing

@testable import KVCompress

@Suite struct WorkersTests {
    @Test(arguments: [1, 2, 3, 5, 16]) func everyIndexOnce(threads: Int) {
        let workers = Workers(threads: threads)
        for count in [0, 1, 2, 3, 7, 64, 1000] {
            for _ in 0..<(count < 64 ? 200 : 5) {
                #expect(workers.map(count) { $0 } == Array(0..<count))
            }
        }
    }

    /// The body knows its thread; no two threads are the same at once.
    @Test(arguments: [2, 3, 8]) func threadsAreNumbered(threads: Int) {
        let workers = Workers(threads: threads)
        let busy = Marks(threads)
        for round in 0..<300 {
            workers.run(1 + round % 40, byThread: { _, thread in busy.use(thread) })
        }
        #expect(busy.total == (0..<300).reduce(0) { $0 + 1 + $1 % 40 })
    }

    /// Plain counters, one for each thread: TSan tells when two threads are one.
    private final class Marks: @unchecked Sendable {
        private let counts: UnsafeMutableBufferPointer<Int>
        init(_ threads: Int) {
            counts = .allocate(capacity: threads)
            counts.initialize(repeating: 0)
        }
        deinit { counts.deallocate() }
        func use(_ thread: Int) { counts[thread] += 1 }
        var total: Int { counts.reduce(0, +) }
    }

    /// Threads that have gone to sleep between runs come back, and the caller sleeps for those that take long.
    @Test func sleepsAndWakes() {
        let workers = Workers(threads: 3)
        let total = Atomic<Int>(0)
        for round in 0..<60 {
            workers.run(6) { index in
                if index == round % 6 { usleep(round % 3 == 0 ? 400 : 0) }
                total.add(1, ordering: .relaxed)
            }
            usleep(round % 2 == 0 ? 300 : 0)
        }
        #expect(total.load(ordering: .relaxed) == 360)
    }

    /// Several threads share one `Workers` and wait for each other's turns.
    @Test func sharedByThreads() {
        let workers = Workers(threads: 3)
        let total = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<100 { workers.run(10) { total.add($0, ordering: .relaxed) } }
        }
        #expect(total.load(ordering: .relaxed) == 8 * 100 * 45)
    }

    /// Work that uses workers of its own.
    @Test func nested() {
        let outer = Workers(threads: 3)
        let total = Atomic<Int>(0)
        for _ in 0..<50 {
            outer.run(6) { _ in
                let inner = Workers(threads: 2)
                inner.run(5) { total.add($0, ordering: .relaxed) }
            }
        }
        #expect(total.load(ordering: .relaxed) == 50 * 6 * 10)
    }

    /// Threads end with their object, whether they ever worked, have just worked, or have not begun.
    @Test func endsWhileIdle() {
        for round in 0..<300 {
            let workers = Workers(threads: 2 + round % 4)
            if round % 3 > 0 { workers.run(round % 5) { _ in } }
        }
    }
}
