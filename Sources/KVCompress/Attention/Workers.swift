import Foundation
import Synchronization

/// The threads that work may use: the caller's own, and as many more as were asked for.
///
/// There is no hidden pool; the default everywhere is `.caller`. What is computed never depends on the
/// number of threads. A `Workers` may be used by one caller at a time; a second one waits.
public final class Workers: Sendable {
    /// The caller's thread alone.
    public static let caller = Workers(threads: 1)

    /// Threads at work, the caller's included.
    public let threads: Int
    private let shared = Shared()
    private let turn = NSLock()

    /// Starts `threads - 1` threads that sleep until there is work and end with this object.
    public init(threads: Int) {
        precondition(threads >= 1)
        self.threads = threads
        for _ in 1..<threads {
            let thread = Thread { [shared] in shared.serve() }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    deinit { shared.stop() }

    /// Runs `body(0) ... body(count - 1)`, each once, in any order, and returns when all are done.
    func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        if threads == 1 || count <= 1 {
            for index in 0..<count { body(index) }
            return
        }
        turn.withLock { shared.run(Job(count: count, body: body), helpers: threads - 1) }
    }

    /// `transform(0) ... transform(count - 1)`, in that order.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - transform: called once for each, in any order; it may use no `Workers` but `.caller`.
    public func map<Value: Sendable>(
        _ count: Int, _ transform: @escaping @Sendable (Int) -> Value
    ) -> [Value] {
        let results = Results<Value>(count)
        run(count) { results[$0] = transform($0) }
        return results.all
    }
}

/// Results that several threads write, each its own place.
private final class Results<Element: Sendable>: @unchecked Sendable {
    private let places: UnsafeMutableBufferPointer<Element?>

    init(_ count: Int) {
        places = .allocate(capacity: count)
        places.initialize(repeating: nil)
    }

    deinit {
        places.deinitialize()
        places.deallocate()
    }

    subscript(index: Int) -> Element? {
        get { places[index] }
        set { places[index] = newValue }
    }

    /// All of them, once every place has been written.
    var all: [Element] { places.map { $0! } }
}

/// One `run`: indices are handed out in order.
private final class Job: @unchecked Sendable {
    let count: Int
    let body: @Sendable (Int) -> Void
    let next = Atomic<Int>(0)

    init(count: Int, body: @escaping @Sendable (Int) -> Void) {
        self.count = count
        self.body = body
    }

    func work() {
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < count else { return }
            body(index)
        }
    }
}

/// What the threads wait on; it outlives `Workers` until the last of them has left.
private final class Shared: @unchecked Sendable {
    private let condition = NSCondition()
    private var job: Job?
    private var generation = 0
    private var busy = 0
    private var stopped = false

    func run(_ job: Job, helpers: Int) {
        condition.lock()
        self.job = job
        generation += 1
        busy = helpers
        condition.broadcast()
        condition.unlock()
        job.work()
        condition.lock()
        while busy > 0 { condition.wait() }
        self.job = nil
        condition.unlock()
    }

    func serve() {
        var seen = 0
        condition.lock()
        while true {
            while !stopped && generation == seen { condition.wait() }
            if stopped { break }
            seen = generation
            let job = self.job
            condition.unlock()
            job?.work()
            condition.lock()
            busy -= 1
            if busy == 0 { condition.broadcast() }
        }
        condition.unlock()
    }

    func stop() {
        condition.lock()
        stopped = true
        condition.broadcast()
        condition.unlock()
    }
}
