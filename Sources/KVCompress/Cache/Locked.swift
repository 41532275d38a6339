import Foundation

/// A value behind a lock.
///
/// Not a `Mutex`: those of Linux are no locks to the thread sanitizer.
package final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    package init(_ value: sending Value) { self.value = value }

    /// Calls the body while nobody else does.
    package func withLock<Result>(
        _ body: (inout Value) throws -> sending Result
    ) rethrows -> sending Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
