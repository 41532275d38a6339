import Foundation
import KVCompress

/// A line on the terminal that says what is being done, once that has taken longer than a second.
final class StatusLine: Sendable {
    private struct State {
        var task: String
        var visible = false
        var ended = false
    }

    private let state: Locked<State>

    /// Starts the clock; nothing is ever shown when `quiet`, or when standard error is no terminal.
    init(_ task: String, quiet: Bool) {
        state = Locked(State(task: task, ended: quiet || isatty(STDERR_FILENO) == 0))
        guard state.withLock({ !$0.ended }) else { return }
        let start = ContinuousClock.now
        Thread.detachNewThread { [self] in
            while show(after: ContinuousClock.now - start) { Thread.sleep(forTimeInterval: 0.25) }
        }
    }

    /// What is being done now.
    func now(_ task: String) { state.withLock { $0.task = task } }

    /// Takes the line away.
    func end() {
        state.withLock { state in
            if state.visible { Self.write("\r\u{1B}[K") }
            state.visible = false
            state.ended = true
        }
    }

    private func show(after elapsed: Duration) -> Bool {
        state.withLock { state in
            guard !state.ended else { return false }
            if elapsed > .seconds(1) {
                Self.write("\r\u{1B}[K\(state.task) (\(elapsed.components.seconds) s)")
                state.visible = true
            }
            return true
        }
    }

    private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
