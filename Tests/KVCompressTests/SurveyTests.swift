import Foundation
import Testing

@testable import KVCompress

/// The survey against plain loops in double precision.
@Suite struct SurveyTests {
    private func expect(
        _ cache: Cache, survey: Survey, tolerance: Double = 1e-4,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let reference = ReferenceSurvey(cache: cache), tokens = cache.tokens
        func close(_ a: Double?, _ b: Double?, _ what: String) {
            let isClose =
                a == b || abs((a ?? .nan) - (b ?? .nan)) <= tolerance * max(1, abs(b ?? 0))
            #expect(
                isClose, "\(what): \(a as Any), not \(b as Any)", sourceLocation: sourceLocation)
        }
        for (index, layer) in cache.layers.enumerated() {
            let found = survey.layers[index]
            for (head, neighbours) in found.neighbours.enumerated() {
                let cosines = reference.neighbours(layer.keys[head])
                let what = "layer \(index), head \(head)"
                close(neighbours.cosine, mean(cosines), what)
                close(neighbours.valueCosine, mean(reference.neighbours(layer.values[head])), what)
                for (quarter, value) in neighbours.quarters.enumerated() {
                    let part = quarter * (tokens - 1) / 4..<(quarter + 1) * (tokens - 1) / 4
                    close(value, mean(cosines[part]), "\(what), quarter \(quarter)")
                }
                // A cosine that rounds to the other side of the threshold moves whole runs.
                guard cosines.allSatisfy({ abs($0 - 0.75) > 1e-6 }) else { continue }
                let above = cosines.filter { $0 > 0.75 }
                close(neighbours.linked, Double(above.count) / Double(cosines.count), what)
                let lengths = reference.runLengths(cosines, threshold: 0.75)
                let classes = [1...1, 2...2, 3...4, 5...8, 9...tokens + 9]
                for (length, part) in zip(classes, neighbours.runs) {
                    close(
                        part, Double(lengths.filter(length.contains).count) / Double(tokens), what)
                }
            }
            if index > 0 {
                let lower = cache.layers[index - 1]
                close(found.below?.keys, reference.layers(lower.keys, layer.keys), "keys \(index)")
                close(
                    found.below?.values, reference.layers(lower.values, layer.values),
                    "values \(index)")
            } else {
                #expect(found.below == nil)
            }
            expect(attention: found.attention, layer, reference, "attention \(index)", close)
            for (magnitudes, rows) in [
                (found.keyMagnitudes, layer.keys), (found.valueMagnitudes, layer.values),
            ] {
                let sorted = rows.flatMap { $0.floats() }.map(abs).sorted()
                #expect(
                    magnitudes.largest == sorted.last
                        && magnitudes.median == sorted[(sorted.count - 1) / 2])
            }
            for (channels, rows) in [
                (found.keyChannels, layer.keys), (found.valueChannels, layer.values),
            ] {
                let energies = rows.map { rows in
                    (0..<rows.dim).map { channel in
                        reference.rows(rows).reduce(0) { $0 + $1[channel] * $1[channel] }
                    }
                }
                expect(channels, energies, "channels \(index)", close)
            }
        }
    }

    private func expect(
        attention found: Survey.Attention?, _ layer: CacheLayer, _ reference: ReferenceSurvey,
        _ what: String, _ close: (Double?, Double?, String) -> Void
    ) {
        guard let queries = layer.queries else {
            #expect(found == nil)
            return
        }
        let tokens = reference.cache.tokens, heads = Double(queries.count)
        let tops = [0.01, 0.05, 0.1, 0.25, 0.5]
        func top(_ share: Double, of numbers: [Double]) -> Double {
            let count = max(1, Int((share * Double(numbers.count)).rounded()))
            return numbers.sorted().reversed().prefix(count).reduce(0, +)
        }
        var mass = tops.map { _ in 0.0 }, own = mass, entropy = 0.0, even = 0.0
        var sinks = 0.0, evenSinks = 0.0
        for head in queries.indices {
            let rows = reference.attention(layer, head), n = Double(rows.count)
            let sums = (0..<tokens).map { token in
                rows.reduce(0) { $0 + (token < $1.count ? $1[token] : 0) }
            }
            for (place, share) in tops.enumerated() {
                mass[place] += top(share, of: sums) / n / heads
                own[place] += mean(rows.suffix(32).map { top(share, of: $0) }) / heads
            }
            for row in rows {
                entropy -= row.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 } / n / heads
                even += log(Double(row.count)) / n / heads
                sinks += row.prefix(4).reduce(0, +) / n / heads
                evenSinks += Double(min(4, row.count)) / Double(row.count) / n / heads
            }
        }
        for place in tops.indices {
            close(found?.mass[place], mass[place], what)
            close(found?.queryMass[place], own[place], what)
        }
        close(found?.entropy, entropy, what)
        close(found?.evenness, entropy / even, what)
        close(found?.sinks, sinks, what)
        close(found?.evenSinks, evenSinks, what)
    }

    private func expect(
        _ channels: Survey.Channels?, _ energies: [[Double]], _ what: String,
        _ close: (Double?, Double?, String) -> Void
    ) {
        let sizes = energies.map { $0.map { $0.squareRoot() }.sorted() }
        let medians = sizes.map { $0[($0.count - 1) / 2] }
        close(channels?.spread, mean(zip(sizes, medians).map { $0.last! / $1 }), what)
        close(
            channels?.outliers,
            mean(
                zip(sizes, medians).map { sizes, median in
                    Double(sizes.filter { $0 > 3 * median }.count)
                }), what)
    }

    private func mean(_ numbers: some Collection<Double>) -> Double {
        numbers.reduce(0, +) / Double(numbers.count)
    }

    @Test(arguments: InstructionSet.supported)
    func references(set: InstructionSet) throws {
        for seed in 0..<6 {
            var random = Seeded(seed)
            let tokens = Int.random(in: 8...90, using: &random)
            let source = try SeededCache(
                seed: seed, layers: 3, kvHeads: Int.random(in: 1...3, using: &random),
                group: Int.random(in: 1...3, using: &random), tokens: tokens,
                dim: Int.random(in: 1...40, using: &random),
                queries: Int.random(in: 0...tokens, using: &random),
                format: ElementFormat.allCases[seed % 3], padding: seed % 2 * 3)
            var options = CompressionOptions()
            options.instructionSet = set
            expect(source.cache, survey: try Survey(of: source.cache, options: options))
        }
    }

    @Test(arguments: Dump.allCases)
    func dumps(dump: Dump) throws {
        let cache = try dump.cache().prefix(120)
        let survey = try Survey(of: cache)
        expect(cache, survey: survey)
        #expect(survey.remarks.isEmpty)
        let reference = ReferenceSurvey(cache: cache)
        for (index, layer) in cache.layers.enumerated() {
            let dim = layer.geometry.keyDim
            let energies = layer.keys.map {
                reference.energies(
                    $0, theta: 10000, dims: dim, interleaved: dump == .stories260k)
            }
            expect(survey.layers[index].keyChannelsBeforeRoPE, energies, "before RoPE") {
                #expect(abs($0! - $1!) < 1e-4, "\($2), layer \(index)")
            }
        }
        for (ranks, rows) in [
            (survey.layers[1].keyRanks, cache.layers[1].keys),
            (survey.layers[1].valueRanks, cache.layers[1].values),
        ] {
            #expect(ranks.most == mean(rows.map { Double(reference.rank($0, share: 0.9)) }))
            #expect(ranks.nearly == mean(rows.map { Double(reference.rank($0, share: 0.99)) }))
        }
    }

    @Test func neitherThreadsNorLevelsChangeIt() throws {
        let cache = try Dump.tinystories.cache().prefix(150)
        let surveys = try [(1, InstructionSet.best), (3, .best), (2, .scalar)].map { threads, set in
            try Survey(
                of: cache,
                options: CompressionOptions(
                    workers: Workers(threads: threads), instructionSet: set))
        }
        #expect(surveys[0] == surveys[1] && surveys[0] == surveys[2])
    }

    /// Rotating made-up keys and undoing it gives their channels back, with some elements left alone.
    @Test(arguments: ["interleaved", "split-half"]) func undoesRoPE(style: String) throws {
        var random = Seeded(5)
        let dim = 10, dims = 6, tokens = 50
        let plain = (0..<tokens).map { _ in
            (0..<dim).map { Float($0 + 1) * Float.random(in: 0.5...1, using: &random) }
        }
        let turned = plain.enumerated().flatMap { position, row in
            var row = row
            for pair in 0..<dims / 2 {
                let (a, b) = style == "interleaved" ? (2 * pair, 2 * pair + 1) : (pair, pair + 3)
                let angle = Float(Double(position) * pow(500, -Double(2 * pair) / Double(dims)))
                (row[a], row[b]) = (
                    row[a] * cos(angle) - row[b] * sin(angle),
                    row[a] * sin(angle) + row[b] * cos(angle)
                )
            }
            return row
        }
        func channels(_ rows: [Float], _ metadata: [String: String]) throws -> Survey {
            let rows = Rows(rows, dim: dim)
            return try Survey(
                of: Cache(layers: [CacheLayer(keys: [rows], values: [rows])], metadata: metadata))
        }
        let metadata = ["rope_theta": "500", "rope_style": style, "rope_dims": "6"]
        let wanted = try channels(plain.flatMap { $0 }, [:]).layers[0].keyChannels
        let found = try channels(turned, metadata).layers[0]
        #expect(abs(try #require(found.keyChannelsBeforeRoPE).spread - wanted.spread) < 1e-4)
        #expect(abs(found.keyChannels.spread - wanted.spread) > 1e-3)
    }

    @Test func saysWhatIsMissing() throws {
        let dump = try Dump.stories260k.cache().prefix(20)
        func remarks(_ change: (inout [String: String]) -> Void) throws -> [String] {
            var metadata = dump.metadata
            change(&metadata)
            let survey = try Survey(of: Cache(layers: dump.layers, metadata: metadata))
            #expect(survey.layers.allSatisfy { $0.keyChannelsBeforeRoPE == nil })
            return survey.remarks
        }
        let unknown: [(String, String?, String)] = [
            ("rope_theta", nil, "lack rope_theta"),
            ("rope_theta", "-1", "rope_theta='-1' is not valid"),
            ("rope_style", nil, "lack rope_style"),
            ("rope_style", "odd", "rope_style='odd' is not"),
            ("rope_dims", "10", "more rope_dims"), ("rope_dims", "x", "rope_dims='x' is not valid"),
            ("rope_dims", "3", "rope_dims='3' is not valid"),
            ("rope_scaling", "{}", "a rope_scaling"),
        ]
        for (name, value, words) in unknown {
            let found = try remarks { $0[name] = value }
            #expect(found.count == 1 && found[0].contains(words), "\(name)")
        }
        let mute = try Cache(
            layers: dump.layers.map { CacheLayer(keys: $0.keys, values: $0.values) },
            metadata: dump.metadata)
        let survey = try Survey(of: mute)
        #expect(survey.queries == 0 && survey.layers.allSatisfy { $0.attention == nil })
        #expect(survey.remarks.count == 1 && survey.remarks[0].contains("no queries"))
    }

    @Test func refusesWhatIsTooShortOrNotFinite() throws {
        let dump = try Dump.stories260k.cache()
        let short = #expect(throws: CompressionError.self) { try Survey(of: dump.prefix(7)) }
        #expect(short?.description.contains("7 tokens") == true)
        _ = try Survey(of: dump.prefix(8))
        let rows = Rows([Float](repeating: 0, count: 31) + [.nan], dim: 4)
        let zeros = Rows([Float](repeating: 0, count: 32), dim: 4)
        let spoilt = #expect(throws: CompressionError.self) {
            try Survey(of: Cache(layers: [CacheLayer(keys: [zeros], values: [rows])]))
        }
        #expect(spoilt?.description.contains("layer 0, value head 0, token 7") == true)
    }

    @Test func zerosHaveNoDirections() throws {
        let zeros = Rows([Float](repeating: 0, count: 64), dim: 4)
        let layer = CacheLayer(keys: [zeros], values: [zeros], queries: [zeros])
        let survey = try Survey(of: Cache(layers: [layer, layer]))
        let found = survey.layers[1]
        #expect(found.neighbours[0].cosine == 0 && found.neighbours[0].runs == [1, 0, 0, 0, 0])
        #expect(found.below == Survey.Below(keys: 0, values: 0))
        #expect(found.keyChannels == Survey.Channels(spread: 1, outliers: 0))
        #expect(found.keyRanks.most == 0 && found.keyMagnitudes.largest == 0)
        #expect(abs(try #require(found.attention).evenness - 1) < 1e-6)
    }
}
