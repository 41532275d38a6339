import Testing

@testable import KVCompress

/// The search for a plan: it keeps its goal, loses nothing it saw, and repeats itself.
@Suite struct TuningTests {
    private let cache = RandomCache(
        seed: 5, layers: 2, kvHeads: 2, tokens: 90, keyDim: 32, valueDim: 32, queries: 40)

    private func comparisons(threads: Int = 1) throws -> [Comparison] {
        try Comparison.spread(
            over: cache.make(), holdout: 6,
            options: CompressionOptions(workers: Workers(threads: threads)))
    }

    @Test func keepsItsGoalAndRepeatsItself() throws {
        let tuning = try Tuning(comparisons(), goal: .ratio(4))
        let winner = try #require(tuning.winner)
        #expect(winner.ratio >= 4)
        #expect(tuning.outcomes.allSatisfy { $0.ratio < 4 || $0.error >= winner.error })
        let again = try Tuning(comparisons(threads: 3), goal: .ratio(4))
        #expect(again.winner?.plan == winner.plan && again.winner?.error == winner.error)
        #expect(again.outcomes.map(\.plan) == tuning.outcomes.map(\.plan))
    }

    @Test func nothingBeatsTheFront() throws {
        let tuning = try Tuning(comparisons(), goal: .error(0.2))
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
        #expect(try Tuning(comparisons(), goal: .ratio(10_000)).winner == nil)
    }

    @Test func judgesAtPlacesSpreadOverTheSecondHalfOfTheQueries() throws {
        func prefixes(queries: Int, holdout: Int) throws -> [Int] {
            var cache = cache
            cache.queries = queries
            return try Comparison.spread(over: cache.make(), holdout: holdout).map(\.prefixTokens)
        }
        #expect(try prefixes(queries: 80, holdout: 6) == [44, 64, 84])
        #expect(try prefixes(queries: 40, holdout: 6) == [64, 84])
        #expect(try prefixes(queries: 40, holdout: 12) == [78])
    }

    @Test func errorsAreTheMeansOfAllPlacesAndBytesThoseOfTheLast() throws {
        let comparisons = try comparisons()
        let tuning = try Tuning(comparisons, goal: .ratio(2))
        let found = try #require(tuning.front.last)
        let single = try comparisons.map { try $0.outcome(of: found.plan) }
        #expect(single.count == 2 && single[0].error != single[1].error)
        #expect(abs(found.error - (single[0].error + single[1].error) / 2) < 1e-12)
        #expect(found.storedBytes == single[1].storedBytes && found.ratio == single[1].ratio)
    }
}
