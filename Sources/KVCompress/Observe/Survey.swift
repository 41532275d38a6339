/// What a full cache shows of the observations that the published methods rest on.
///
/// Every number is a mean over the heads of a layer unless it says otherwise. What needs attention is nil
/// for a cache without queries, and what needs the keys before RoPE for one that does not say how these
/// were rotated; `remarks` say so.
public struct Survey: Sendable, Codable, Equatable {
    /// How alike the keys of neighbouring tokens are, in one kv head (KVMerger, arXiv 2407.08454, section 3).
    public struct Neighbours: Sendable, Codable, Equatable {
        /// Mean cosine of keys i and i + 1.
        public var cosine: Double
        /// The same in each quarter of the sequence.
        public var quarters: [Double]
        /// The part of neighbours whose cosine is above `Survey.threshold`.
        public var linked: Double
        /// The part of tokens that stand in runs of linked neighbours as long as `Survey.runLengths`.
        public var runs: [Double]
        /// Mean cosine of values i and i + 1.
        public var valueCosine: Double

        enum CodingKeys: String, CodingKey {
            case cosine, quarters, linked, runs
            case valueCosine = "value_cosine"
        }
    }

    /// How alike a layer's rows are to those of the layer below (MiniCache, arXiv 2405.14366, section 3).
    public struct Below: Sendable, Codable, Equatable {
        /// Mean over tokens of the cosine between the keys of all heads as one row.
        public var keys: Double
        /// The same of the values.
        public var values: Double
    }

    /// How attention is spread over the tokens, by the given queries.
    public struct Attention: Sendable, Codable, Equatable {
        /// The part of all attention that falls on the most attended tokens, as many as `Survey.tops` say.
        public var mass: [Double]
        /// The part of a query's attention that falls on as many tokens of its own choice; of the last
        /// `Survey.observe` queries.
        public var queryMass: [Double]
        /// Mean entropy of a query's attention, in nats.
        public var entropy: Double
        /// The entropy as a part of what even attention to all visible tokens has.
        public var evenness: Double
        /// The part of all attention that falls on the first `Survey.sinks` tokens.
        public var sinks: Double
        /// What even attention to all visible tokens would leave there.
        public var evenSinks: Double

        enum CodingKeys: String, CodingKey {
            case mass, entropy, evenness, sinks
            case queryMass = "query_mass"
            case evenSinks = "even_sinks"
        }
    }

    /// Dimensions that rows fill (Eigen Attention, arXiv 2408.05646, section 3).
    public struct Ranks: Sendable, Codable, Equatable {
        /// Dimensions that hold 90% of the energy.
        public var most: Double
        /// Dimensions that hold 99% of the energy.
        public var nearly: Double
    }

    /// How far channels stand out (KIVI, arXiv 2402.02750, section 3.2).
    public struct Channels: Sendable, Codable, Equatable {
        /// Root mean square of the largest channel, divided by that of the median channel.
        public var spread: Double
        /// Channels whose root mean square is above `Survey.outlier` times that of the median channel, in a head.
        public var outliers: Double
    }

    /// The size of the numbers of a layer, of all heads together (massive activations, arXiv 2402.17762).
    public struct Magnitudes: Sendable, Codable, Equatable {
        /// The largest magnitude.
        public var largest: Float
        /// The median magnitude (the lower one of an even number).
        public var median: Float

        /// How many times larger than the median the largest number is.
        public var ratio: Double { Double(largest) / Double(median) }
    }

    /// One layer.
    public struct Layer: Sendable, Codable, Equatable {
        /// Per kv head.
        public var neighbours: [Neighbours]
        /// Nil in the first layer, and where the layer below has other head dims.
        public var below: Below?
        /// Nil without queries.
        public var attention: Attention?
        /// The dimensions that keys fill.
        public var keyRanks: Ranks
        /// The dimensions that values fill.
        public var valueRanks: Ranks
        /// The channels of keys as they are, after RoPE.
        public var keyChannels: Channels
        /// The channels of keys before RoPE; nil where that cannot be undone.
        public var keyChannelsBeforeRoPE: Channels?
        /// The channels of values.
        public var valueChannels: Channels
        /// The size of the numbers in keys.
        public var keyMagnitudes: Magnitudes
        /// The size of the numbers in values.
        public var valueMagnitudes: Magnitudes

        enum CodingKeys: String, CodingKey {
            case neighbours, below, attention
            case keyRanks = "key_ranks"
            case valueRanks = "value_ranks"
            case keyChannels = "key_channels"
            case keyChannelsBeforeRoPE = "key_channels_before_rope"
            case valueChannels = "value_channels"
            case keyMagnitudes = "key_magnitudes"
            case valueMagnitudes = "value_magnitudes"
        }
    }

    /// Neighbours above this cosine are linked: the threshold of KVMerger's paper.
    public static let threshold = 0.75
    /// The lengths of runs that are told apart; the last one stands for all longer ones, too.
    public static let runLengths = [1...1, 2...2, 3...4, 5...8, 9...Int.max]
    /// The most attended tokens whose attention is told, as parts of all tokens.
    public static let tops = [0.01, 0.05, 0.1, 0.25, 0.5]
    /// The last queries that are looked at one by one.
    public static let observe = 32
    /// The first tokens that count as sinks.
    public static let sinks = 4
    /// Channels so many times larger than the median one count as outliers.
    public static let outlier = 3.0
    /// The fewest tokens that a survey makes sense of.
    static let fewestTokens = 8

    /// Tokens of the cache.
    public var tokens: Int
    /// Queries per head whose attention was observed; 0 without.
    public var queries: Int
    /// The layers, first to last.
    public var layers: [Layer]
    /// What could not be observed, and why.
    public var remarks: [String]

    /// Observes a cache.
    ///
    /// Reads keys and values a few times; only received attention takes more than linear time, queries times
    /// tokens. The ranks come from LAPACK and may differ in the last bits between machines, which hardly ever
    /// shows.
    /// - Throws: `CompressionError` for a cache of fewer than 8 tokens, or a number that is not finite (named:
    ///   layer, head, token).
    public init(
        of cache: Cache, options: CompressionOptions = CompressionOptions()
    ) throws(CompressionError) {
        guard cache.tokens >= Self.fewestTokens else {
            throw CompressionError(
                .cache,
                "\(cache.tokens) tokens; a survey makes sense of \(Self.fewestTokens) or more")
        }
        try cache.checkValues()
        let observation = Observation(
            cache: cache, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator)
        tokens = cache.tokens
        queries = observation.queries
        remarks = []

        let neighbours = observation.neighbours()
        let below = observation.layersBelow()
        var attention = [Attention?](repeating: nil, count: cache.layers.count)
        if queries > 0 {
            attention = observation.attentionSpread()
        } else {
            remarks.append("the cache has no queries, so nothing is said of attention")
        }
        var channels = [Channels?](repeating: nil, count: cache.layers.count)
        do {
            channels = try observation.channelsBeforeRoPE()
        } catch {
            remarks.append(
                "\(error.description), so nothing is said of keys before RoPE")
        }
        let magnitudes = options.workers.map(cache.layers.count) { layer in
            let rows = cache.layers[layer], kernels = observation.kernels
            return (Magnitudes(of: rows.keys, kernels), Magnitudes(of: rows.values, kernels))
        }
        layers = cache.layers.indices.map { index in
            // On the caller's thread, so that LAPACK is asked in one order.
            let keys = cache.layers[index].keys.map { Spectrum($0)! }
            let values = cache.layers[index].values.map { Spectrum($0)! }
            return Layer(
                neighbours: neighbours[index], below: below[index], attention: attention[index],
                keyRanks: Ranks(of: keys), valueRanks: Ranks(of: values),
                keyChannels: Channels(of: keys.map(\.channels)),
                keyChannelsBeforeRoPE: channels[index],
                valueChannels: Channels(of: values.map(\.channels)),
                keyMagnitudes: magnitudes[index].0, valueMagnitudes: magnitudes[index].1)
        }
    }
}

extension [Double] {
    /// The arithmetic mean, 0 of nothing.
    var mean: Double { isEmpty ? 0 : reduce(0, +) / Double(count) }
}
