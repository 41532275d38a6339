import Foundation

/// Refits what is kept so that the reference queries see what they saw of the full cache.
///
/// Keys are taken as they were stored. Every entry gets a logit bias, so that together they carry the mass of
/// all tokens, and a new value, so that outputs come out right: eviction, merging and the rounding of keys are
/// repaired at once. Values are written afterwards.
///
/// The paper runs the bias's least squares to their end, 200 rounds. On queries that were held out of our
/// caches `MassFit.rounds` do far better: what comes later fits the reference queries alone.
struct Fit: StageMethod {
    private enum Reference: String, CaseIterable { case observed }
    private enum Switch: String, CaseIterable { case on, off }

    static let identity = MethodIdentity(
        name: "fit",
        summary: "logit biases and values fitted to what the given queries saw of the full cache",
        source: "Attention Matching, arXiv 2602.16284",
        differs:
            "the least squares of biases stop after few rounds, as later ones suit the reference queries alone "
            + "and held-out ones worse; entries are those of the stages before, not chosen anew",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "queries", .words(Reference.self), default: "observed",
                "the reference: those recorded in the cache, at most 1024 of a kv head's group"),
            ParameterDescription(
                "bias", .words(Switch.self), default: "on",
                "whether logit biases are fitted too, which takes two bytes for an entry"),
            ParameterDescription(
                "ridge", .number(1e-4...1e4), default: "0.01",
                "how firmly values stay where they were, against the mean square of attention"),
        ])

    /// Whether biases are fitted, besides values.
    let bias: Bool
    let ridge: Double

    init(_ arguments: Arguments) {
        bias = arguments.word("bias", Switch.self) == .on
        ridge = arguments.number("ridge")
    }

    var settings: [String: String] {
        [
            "queries": Reference.observed.rawValue,
            "bias": (bias ? Switch.on : .off).rawValue,
            "ridge": decimalText(ridge),
        ]
    }

    static var method: MethodDescription { method(.fit) { $1.fit = $0 } }

    /// What to say where only the rounding of keys is repaired, which suits the reference queries alone.
    static let needless =
        "fit: nothing was evicted or merged, and queries to come may lose by it; compare without it"

    /// Bytes that a fitted entry takes besides its key, value and position.
    var entryBytes: Int { bias ? EntryVector.bytes(1) : 0 }

    /// One head's entries with their masses and values fitted.
    ///
    /// - Parameter keys: the entries' keys as attention sees them, packed.
    func fitted(
        _ draft: HeadDraft, keys: Buffer<Float>, to reference: ReferenceAttention,
        values original: Rows, kernels: Kernels, allocator: Allocator
    ) -> HeadDraft {
        var draft = draft
        let entries = (keys: keys, positions: draft.positions)
        if bias {
            let shares = reference.shares(of: entries)
            let weights = MassFit(shares, rows: reference.rows, entries: draft.count, kernels)
                .weights(from: (0..<draft.count).map { Float(draft.mass.votes($0)) })
            draft.mass = .bias(kernels.rounded(weights.map { Float(log(Double($0))) }))
        }
        let dim = draft.values.dim
        let values = allocator.buffer(Float.self, draft.count * dim)
        draft.values.write(0..<draft.count, to: values.pointer, kernels: kernels)
        let given = Rows(
            storage: values.storage, byteOffset: 0, format: .f32, count: draft.count, dim: dim)
        let range = max(original.largestMagnitude, given.largestMagnitude)
        ValueFit(
            attention: reference.attention(to: entries, bias: draft.mass.logits(kernels)),
            rows: reference.rows, entries: draft.count, kernels: kernels, allocator: allocator
        ).refit(values, toward: reference.outputs, dim: dim, ridge: ridge)
        // Nothing that was in range leaves it, so that every codec can still store it.
        for element in 0..<values.count {
            values.pointer[element] = min(max(values.pointer[element], -range), range)
        }
        draft.values = DraftRows(packed: values, count: draft.count, dim: dim)
        return draft
    }
}

extension GroupEncoder {
    /// The same entries, fitted to the keys as they were written.
    func fitted(by fit: Fit, to keys: WrittenSide) -> GroupEncoder {
        var fitted = self
        for layer in drafts.indices {
            for head in drafts[layer].indices {
                let own = layers.lowerBound + layer
                fitted.drafts[layer][head] = fit.fitted(
                    drafts[layer][head], keys: storedKeys(keys, layer, head),
                    to: ReferenceAttention(observation, layer: own, head: head),
                    values: observation.cache.layers[own].values[head], kernels: kernels,
                    allocator: allocator)
            }
        }
        return fitted
    }
}

extension Rows {
    /// The largest magnitude of an element.
    fileprivate var largestMagnitude: Float { floats().reduce(0) { max($0, abs($1)) } }
}
