/// KVCrush (arXiv 2503.00022, section 3): a share of the budget for tokens that stand for those evicted.
///
/// It wraps the eviction before it, and all kv heads of a layer keep the same tokens. Every evictable
/// token has a signature, one bit per query head: whether that head ranks it in its better half. Those
/// that the scorer drops are sorted by the Hamming distance of their signature to an anchor, cut into as
/// many buckets as there are representatives, and of each bucket the token nearest to its mean is kept.
public struct Crush: Hashable, Sendable, CustomStringConvertible {
    /// What signatures are compared with.
    public enum Anchor: Hashable, Sendable, CustomStringConvertible {
        /// Bits that more than half of the candidates have.
        case mean
        /// No bit.
        case zeros
        /// All bits.
        case ones
        /// Every other bit, from the second.
        case alternating
        /// Bits by chance, the same in all layers.
        case random(seed: Int)

        /// The canonical text.
        public var description: String {
            switch self {
            case .mean: "mean"
            case .zeros: "zeros"
            case .ones: "ones"
            case .alternating: "alternating"
            case .random(let seed): "random(\(seed))"
            }
        }
    }

    /// Whose scores the signature's bits come from.
    public enum Bits: String, Hashable, Sendable, CaseIterable {
        /// One bit per query head (per kv head for scorers without queries).
        case query
        /// One bit per kv head, from the mean of its group.
        case kv
    }

    /// How representatives are found among the candidates.
    public enum Representatives: Hashable, Sendable, CustomStringConvertible {
        /// As the paper does, by distance to the anchor.
        case hamming
        /// Evenly spaced, as a control.
        case even
        /// By chance, as a control.
        case random(seed: Int)
        /// By Lloyd's clustering of the signatures, as a slow control.
        case kmeans

        /// The canonical text.
        public var description: String {
            switch self {
            case .hamming: "hamming"
            case .even: "even"
            case .random(let seed): "random(\(seed))"
            case .kmeans: "kmeans"
            }
        }
    }

    /// The part of the budget that representatives take.
    public var share: Share
    /// What signatures are compared with.
    public var anchor: Anchor
    /// Whose scores the bits come from.
    public var bits: Bits
    /// How representatives are found.
    public var representatives: Representatives
    /// How representatives are written; nil: as the important tokens.
    public var precision: CodecConfiguration?

    private static let seed = [
        ParameterDescription("seed", .count(0...Int.max), default: "0", "another seed, other bits")
    ]

    static let method = MethodDescription(
        name: "kvcrush",
        stage: .crush,
        summary: "spends a share of the eviction's budget on representatives of what it drops",
        source: "KVCrush, arXiv 2503.00022, section 3",
        differs:
            "Algorithm 1 as printed averages rows of a softmax, which sum to 1: received "
            + "attention is meant. A bit per query head; distances are cut into buckets of "
            + "equal count, as few distances exist; the share lies inside the budget. "
            + "select=pages gives its paged form",
        needs: [],
        parameters: [
            ParameterDescription(
                "share",
                .share,
                default: "25%",
                "the part of the budget that representatives take"
            ),
            ParameterDescription(
                "anchor",
                .choice([
                    .init("mean"), .init("zeros"), .init("ones"), .init("alternating"),
                    .init("random", seed),
                ]),
                default: "mean",
                "what signatures are compared with"
            ),
            ParameterDescription(
                "bits",
                .words(Bits.self),
                default: "query",
                "a bit per query head or per kv head"
            ),
            ParameterDescription(
                "representatives",
                .choice([.init("hamming"), .init("even"), .init("random", seed), .init("kmeans")]),
                default: "hamming",
                "how representatives are found; all but hamming are controls"
            ),
            ParameterDescription(
                "precision",
                .choice([.init("same")] + EncodeConfiguration.codecs),
                default: "same",
                "how representatives are written: as the important tokens, or in a codec of their own"
            ),
        ]
    ) { arguments, plan throws(CompressionError) in
        guard plan.eviction != nil else {
            throw CompressionError(
                .plan,
                "'kvcrush' wraps an eviction and none stands before it; expected one, such as 'h2o(budget=25%) | kvcrush'"
            )
        }
        plan.eviction?.crush = Crush(arguments)
    }

    init(_ arguments: Arguments) {
        share = arguments.share("share")
        bits = arguments.word("bits")
        let precision = arguments.choice("precision")
        self.precision = precision.word == "same" ? nil : EncodeConfiguration.codec(precision)
        let anchor = arguments.choice("anchor"),
            representatives = arguments.choice("representatives")
        self.anchor =
            switch anchor.word {
            case "zeros": .zeros
            case "ones": .ones
            case "alternating": .alternating
            case "random": .random(seed: anchor.arguments.count("seed"))
            default: .mean
            }
        self.representatives =
            switch representatives.word {
            case "even": .even
            case "random": .random(seed: representatives.arguments.count("seed"))
            case "kmeans": .kmeans
            default: .hamming
            }
    }

    /// The canonical text of the stage.
    public var description: String {
        Self.method.text([
            "share": share.description, "anchor": anchor.description, "bits": bits.rawValue,
            "representatives": representatives.description,
            "precision": precision.map(EncodeConfiguration.text) ?? "same",
        ])
    }
}
