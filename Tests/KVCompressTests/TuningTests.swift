import Testing

@testable import KVCompress

/// The search for a plan: it keeps its goal, loses nothing it saw, and repeats itself.
@Suite struct TuningTests {
    private func comparison(threads: Int = 1) throws -> Comparison {
        let cache = try RandomCache(
            seed: 5, layers: 2, kvHeads: 2, tokens: 90, keyDim: 32, valueDim: 32, queries: 40
        ).make()
        return try Comparison(
            cache: cache, holdout: 12,
            options: CompressionOptions(workers: Workers(threads: threads)))
    }

    @Test func keepsItsGoalAndRepeatsItself() throws {
        let tuning = try Tuning(comparison(), goal: .ratio(4))
        let winner = try #require(tuning.winner)
        #expect(winner.ratio >= 4)
        #expect(tuning.outcomes.allSatisfy { $0.ratio < 4 || $0.error >= winner.error })
        let again = try Tuning(comparison(threads: 3), goal: .ratio(4))
        #expect(again.winner?.plan == winner.plan && again.winner?.error == winner.error)
        #expect(again.outcomes.map(\.plan) == tuning.outcomes.map(\.plan))
    }

    @Test func nothingBeatsTheFront() throws {
        let tuning = try Tuning(comparison(), goal: .error(0.2))
        let winner = try #require(tuning.winner)
        #expect(winner.error <= 0.2)
        #expect(tuning.outcomes.allSatisfy { $0.error > 0.2 || $0.ratio <= winner.ratio })
        for point in tuning.front {
            let better = tuning.outcomes.contains {
                $0.ratio >= point.ratio && $0.error < point.error
            }
            #expect(!better, "\(point.plan)")
        }
        #expect(zip(tuning.front, tuning.front.dropFirst()).allSatisfy { $0.error < $1.error })
        #expect(tuning.sensitivities.count == 3)
        #expect(tuning.sensitivities.allSatisfy { $0.layerErrors.count == 2 })
    }

    @Test func goalsOutOfReachHaveNoWinner() throws {
        #expect(try Tuning(comparison(), goal: .ratio(10_000)).winner == nil)
    }
}
