import Foundation
import KVCompress

/// Something that takes part in a measurement: steps, each on bytes of its own.
struct Contestant {
    let work: String
    let codec: String
    let tokens: Int
    let isa: InstructionSet
    let threads: Int
    /// Bytes that each step must move at least.
    let bytes: [Int]
    /// What moves bytes as fast as this machine can.
    let yardstick: Yardstick?
    /// Times in a row that a step counts, behind one that does not; 0: it counts once, and nothing goes
    /// before it, as when other work comes in between.
    var inARow = 0
    /// Things of which a step does so many, and for one of which its time and bytes are told.
    var units = 1
    /// What goes before a step, and is not timed.
    var before: (Int) throws -> Void = { _ in }
    /// Does a step once.
    let step: (Int) throws -> Void
    /// What else there is to say of it, given its time in milliseconds and those of all that take turns with it.
    var figures: (_ milliseconds: Double, _ all: [Double]) -> BenchFigures = { _, _ in
        BenchFigures()
    }
}

/// What times are held against.
struct Yardstick: Hashable {
    enum Kind: String { case read, copy }

    var kind = Kind.read
    let threads: Int
    /// Bytes walked over: few for what a cache delivers.
    var byteCount = Bandwidth.workingSet
}

/// One sitting at a machine: contestants take turns, and the bandwidth is read beside them.
final class Sitting {
    let threads: Int
    /// Asked for by the user.
    let rounds: Int?
    let status: StatusLine
    private(set) var results: [BenchResult.Row] = []
    private var memories: [Int: Bandwidth] = [:]
    private var teams: [Int: Workers] = [:]
    /// Bytes a second of every reading.
    private var readings: [Yardstick: [Double]] = [:]

    init(threads: Int, rounds: Int?, status: StatusLine) {
        (self.threads, self.rounds, self.status) = (threads, rounds, status)
    }

    /// A team of so many threads, the same every time.
    func workers(_ threads: Int) -> Workers {
        if let team = teams[threads] { return team }
        let team = Workers(threads: threads)
        teams[threads] = team
        return team
    }

    /// What all threads read from memory, in bytes a second: the median of the sitting.
    func readBandwidth() -> Double {
        let yardstick = Yardstick(threads: threads)
        if readings[yardstick] == nil { for _ in 0..<3 { read(yardstick) } }
        return readings[yardstick]!.median
    }

    /// Times contestants that were checked before: one round to warm up, then so many that count.
    @discardableResult
    func time(_ contestants: [Contestant], rounds: Int) throws -> [BenchResult.Row] {
        let rounds = self.rounds ?? rounds
        var seconds = contestants.map { $0.bytes.map { _ in [Double]() } }
        var beside: [Yardstick: [Double]] = [:]
        let yardsticks = Set(contestants.compactMap(\.yardstick))
        for round in 0...rounds {
            status.now("round \(round) of \(rounds)")
            for yardstick in yardsticks {
                let rate = read(yardstick)
                if round > 0 { beside[yardstick, default: []].append(rate) }
            }
            for (index, contestant) in contestants.enumerated() {
                for step in contestant.bytes.indices {
                    try contestant.before(step)
                    if contestant.inARow > 0 { try contestant.step(step) }
                    for _ in 0..<max(1, contestant.inARow) {
                        let time = try ContinuousClock().measure { try contestant.step(step) }
                        if round > 0 { seconds[index][step].append(time / .seconds(1)) }
                    }
                }
            }
        }
        let steps = zip(contestants, seconds).map { contestant, seconds in
            seconds.map(\.median).reduce(0, +) / Double(seconds.count * contestant.units)
        }
        let rows = contestants.indices.map { index in
            BenchResult.Row(
                contestants[index], seconds: seconds[index], mean: steps[index],
                bandwidth: contestants[index].yardstick.flatMap { beside[$0]?.median },
                figures: contestants[index].figures(1e3 * steps[index], steps.map { 1e3 * $0 }))
        }
        results += rows
        return rows
    }

    @discardableResult
    private func read(_ yardstick: Yardstick) -> Double {
        let memory = memories[yardstick.byteCount] ?? Bandwidth(byteCount: yardstick.byteCount)
        memories[yardstick.byteCount] = memory
        let team = workers(yardstick.threads)
        let passes = max(1, Bandwidth.workingSet / 4 / yardstick.byteCount)
        let rate =
            switch yardstick.kind {
            case .read: memory.read(workers: team, passes: passes)
            case .copy: memory.copy(workers: team)
            }
        readings[yardstick, default: []].append(rate)
        return rate
    }
}

extension [Double] {
    /// The middle of the sorted numbers.
    var median: Double { quantile(0.5) }

    /// Half of the range between the quartiles, in percent of the median.
    var spread: Double { 50 * (quantile(0.75) - quantile(0.25)) / median }

    private func quantile(_ share: Double) -> Double {
        let sorted = sorted()
        let place = share * Double(count - 1), below = Int(place)
        let above = Swift.min(below + 1, count - 1)
        return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
}
