import Foundation
import KVHost
import Testing

@Suite struct SamplerTests {
    @Test func withoutTemperatureTheFirstOfTheLikeliest() {
        var sampler = Sampler()
        #expect(sampler.next([1, 3, 2, 3]) == 1)
        #expect(sampler.next([-.infinity, -5]) == 1)
    }

    @Test func takesEachAsOftenAsItsWeightSays() {
        var sampler = Sampler(temperature: 2, seed: 5)
        // At temperature 2 the weights are 1, 2 and 5.
        let logits = [0, 2 * log(Float(2)), 2 * log(Float(5))]
        var counts = [0, 0, 0]
        for _ in 0..<8000 { counts[sampler.next(logits)] += 1 }
        for (count, expected) in zip(counts, [1000, 2000, 5000]) {
            #expect(abs(count - expected) < 200)
        }
    }

    @Test func theSameSeedChoosesTheSame() {
        func choices(_ seed: UInt64) -> [Int] {
            var sampler = Sampler(temperature: 1, seed: seed)
            return (0..<50).map { _ in sampler.next([0, 0, 0, 0]) }
        }
        #expect(choices(1) == choices(1) && choices(1) != choices(2))
    }
}
