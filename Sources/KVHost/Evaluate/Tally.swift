import KVCompress
import Synchronization

/// What several threads find, each its own place, and how many have.
final class Tally: Sendable {
    typealias Outcome = Result<[ContextOutcome], CompressionError>
    private let places: Mutex<[Outcome?]>
    private let told: @Sendable (Int) -> Void

    init(_ count: Int, told: @escaping @Sendable (Int) -> Void) {
        places = Mutex(Array(repeating: nil, count: count))
        self.told = told
    }

    func set(_ index: Int, _ outcome: Outcome) {
        let done = places.withLock { places in
            places[index] = outcome
            return places.count { $0 != nil }
        }
        told(done)
    }

    /// All results, once every place has one.
    var results: [Outcome] { places.withLock { $0.compactMap(\.self) } }
}
