import Foundation

/// The threads that work may use: the caller's own, and as many more as were asked for.
///
/// There is no hidden pool; the default everywhere is `.caller`. What is computed never depends on the
/// number of threads. A `Workers` may be used by one caller at a time; a second one waits.
public final class Workers: Sendable {
    /// The caller's thread alone.
    public static let caller = Workers(threads: 1)

    /// Threads at work, the caller's included.
    public let threads: Int
    private let pool: WorkerPool
    /// Not a `Mutex`: those of Linux are no locks to the thread sanitizer.
    private let turn = NSLock()

    /// Starts `threads - 1` threads that sleep until there is work and end with this object.
    public init(threads: Int) {
        precondition(threads >= 1)
        self.threads = threads
        pool = WorkerPool(threads: threads)
        for number in 1..<threads {
            let thread = Thread { [pool] in pool.serve(number) }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    deinit { pool.stop() }

    /// Runs `body(0) ... body(count - 1)`, each once, in any order, and returns when all are done.
    func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        run(count, byThread: { index, _ in body(index) })
    }

    /// The same; the body is told which of the threads, `0 ..< threads`, it runs on.
    func run(_ count: Int, byThread body: @escaping WorkerPool.Body) {
        if threads == 1 || count <= 1 {
            for index in 0..<count { body(index, 0) }
        } else {
            turn.withLock { pool.run(count, body) }
        }
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
