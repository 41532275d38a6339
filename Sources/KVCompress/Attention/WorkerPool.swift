import Foundation
import Synchronization

/// What the threads of a `Workers` share; it outlives that until the last of them has left.
///
/// A run's indices are cut into equal shares, one for each thread, so that a thread finds what it read last time
/// in its own caches; who is done with its share goes on with the others'. Nobody waits for a thread that has not
/// begun, and a run costs no memory and at most one wake-up for each thread.
final class WorkerPool: @unchecked Sendable {
    typealias Body = @Sendable (_ index: Int, _ thread: Int) -> Void

    /// What a run shares with one thread: the indices of its share that nobody has taken, and where it sleeps.
    private final class Member: Sendable {
        let next = Atomic<Int>(0)
        let parking = Parking()
    }

    /// The caller first.
    private let members: [Member]
    /// The run's number, whether it may be joined, and how many have.
    private let state = Atomic<UInt>(0)
    // Written while nobody has joined.
    private var body: Body?
    private var count = 0
    /// Parts that the indices are cut into.
    private var shares = 0

    private static let isOpen: UInt = 1 << 16, run: UInt = 1 << 17, joined = isOpen - 1

    init(threads: Int) {
        precondition(threads <= Self.joined)
        members = (0..<threads).map { _ in Member() }
    }

    /// Runs `body` for every index, on the caller's thread and those that come in time.
    func run(_ count: Int, _ body: @escaping Body) {
        (self.body, self.count, shares) = (body, count, min(count, members.count))
        for share in 0..<shares {
            members[share].next.store(count * share / shares, ordering: .relaxed)
        }
        open(to: shares)
        work(0, body)
        state.bitwiseAnd(~Self.isOpen, ordering: .sequentiallyConsistent)
        members[0].parking.wait {
            state.load(ordering: .sequentiallyConsistent) & Self.joined == 0
        }
        self.body = nil
    }

    /// Lets the threads end.
    func stop() {
        body = nil
        open(to: members.count)
    }

    private func open(to threads: Int) {
        // Who goes to sleep looks at the state once more, and we look at who sleeps: in one order for all.
        state.add(Self.run | Self.isOpen, ordering: .sequentiallyConsistent)
        for thread in 1..<threads { members[thread].parking.wake() }
    }

    /// The life of a thread.
    func serve(_ thread: Int) {
        var last: UInt = 0
        while true {
            members[thread].parking.wait {
                let state = state.load(ordering: .sequentiallyConsistent)
                return state & Self.isOpen != 0 && state / Self.run != last
            }
            guard let run = join() else { continue }
            last = run
            guard let body else { return }
            work(thread, body)
            let left = state.subtract(1, ordering: .sequentiallyConsistent).newValue
            if left & (Self.joined | Self.isOpen) == 0 { members[0].parking.wake() }
        }
    }

    /// The number of the run that was joined; nil when it is over.
    private func join() -> UInt? {
        var now = state.load(ordering: .relaxed)
        while now & Self.isOpen != 0 {
            let (done, found) = state.weakCompareExchange(
                expected: now, desired: now + 1, ordering: .acquiringAndReleasing)
            if done { return now / Self.run }
            now = found
        }
        return nil
    }

    /// Takes indices until there are none.
    private func work(_ thread: Int, _ body: Body) {
        for place in 0..<shares {
            let share = (thread + place) % shares, end = count * (share + 1) / shares
            while members[share].next.load(ordering: .relaxed) < end {
                let index = members[share].next.add(1, ordering: .relaxed).oldValue
                if index < end { body(index, thread) }
            }
        }
    }
}

/// Where one thread waits: awake for some microseconds, as what it waits for is often near, then asleep.
private final class Parking: Sendable {
    private static let awake = Duration.microseconds(50)
    private let isAsleep = Atomic<Bool>(false)
    private let signal = DispatchSemaphore(value: 0)

    /// Returns when the condition holds; whoever makes it so calls `wake` behind it.
    func wait(until isMet: () -> Bool) {
        if isMet() { return }
        let start = ContinuousClock.now
        while ContinuousClock.now - start < Self.awake { if isMet() { return } }
        while true {
            isAsleep.store(true, ordering: .sequentiallyConsistent)
            let met = isMet()
            // Who was called meanwhile takes the signal, so that it wakes nobody later.
            if !met || !isAsleep.exchange(false, ordering: .sequentiallyConsistent) {
                signal.wait()
            }
            if met { return }
        }
    }

    /// Wakes the thread, if it sleeps.
    func wake() {
        if isAsleep.load(ordering: .sequentiallyConsistent),
            isAsleep.exchange(false, ordering: .sequentiallyConsistent)
        {
            signal.signal()
        }
    }
}
