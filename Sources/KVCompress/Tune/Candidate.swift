/// A plan that `Tuning` tries, by its parts.
struct Candidate: Hashable {
    /// What makes entries fewer.
    enum Reduction: Hashable {
        case none
        /// An eviction's name.
        case evict(String)
        /// KVMerger, which merges down to the share.
        case merge
    }

    /// How one side is written.
    struct Side: Hashable {
        /// Index into `formats`.
        var bits = 0
        /// What stands in the codec's parentheses, or `turboquant` in its place.
        var style = ""

        static let formats = ["f16", "q8", "q4", "q3", "q2"]

        /// The codec as `kv` takes it.
        var text: String {
            let format = Self.formats[bits]
            if bits == 0 { return format }
            if style == Self.turboquant {
                return bits > 1 ? "turboquant(bits=\(format.dropFirst()))" : format
            }
            return style.isEmpty ? format : "\(format)(\(style))"
        }

        static let turboquant = "turboquant"
    }

    var reduction = Reduction.none
    /// What is left of the entries, in thousandths.
    var share = 1000
    /// Further arguments of the eviction.
    var spread = ""
    var keys = Side()
    var values = Side()
    var isFitted = false

    /// Shares that a path goes through, each about 5/6 of the one before.
    static let shares = [
        1000, 840, 700, 590, 500, 420, 350, 300, 250, 210, 175, 150, 125, 100, 80, 65, 50,
    ]

    /// The plan's text.
    var text: String {
        let share = "budget=\(self.share / 10).\(self.share % 10)%"
        var stages: [String] = []
        if self.share < 1000 {
            switch reduction {
            case .none: break
            case .evict(let name):
                stages.append(
                    "\(name)(\([share, spread].filter { !$0.isEmpty }.joined(separator: ", ")))")
            case .merge: stages.append("kvmerger(\(share), recent=5%, heavy=2%)")
            }
        }
        stages.append("kv(keys=\(keys.text), values=\(values.text))")
        if isFitted { stages.append("fit") }
        return stages.joined(separator: " | ")
    }

    /// The candidates one step smaller: fewer entries, fewer bits of keys, fewer bits of values.
    var smaller: [Candidate] {
        var steps: [Candidate] = []
        if reduction != .none, let next = Self.shares.first(where: { $0 < share }) {
            steps.append(with { $0.share = next })
        }
        if keys.bits + 1 < Side.formats.count { steps.append(with { $0.keys.bits += 1 }) }
        if values.bits + 1 < Side.formats.count { steps.append(with { $0.values.bits += 1 }) }
        return steps
    }

    /// The candidates that differ in one part, or that trade bits for entries.
    var neighbours: [Candidate] {
        var others: [Candidate] = []
        for style in ["", "axis=per-channel", "rotate=hadamard", "group=64", Side.turboquant] {
            others.append(with { $0.keys.style = style })
            // Values per channel would lose the newest tokens' own scales for nothing.
            if style != "axis=per-channel" { others.append(with { $0.values.style = style }) }
        }
        for reduction in Self.reductions {
            others.append(
                with {
                    $0.reduction = reduction
                    $0.spread = ""
                })
        }
        if case .evict = reduction {
            for spread in ["", "tokens=layer", "allocate=entropy", "allocate=adaptive"] {
                others.append(with { $0.spread = spread })
            }
        }
        others.append(with { $0.isFitted.toggle() })
        for step in [-1, 1] {
            for (keys, values) in [(step, 0), (0, step), (step, step)] {
                let candidate = with {
                    $0.keys.bits += keys
                    $0.values.bits += values
                }
                let valid = Side.formats.indices
                if valid.contains(candidate.keys.bits), valid.contains(candidate.values.bits) {
                    others.append(candidate)
                }
            }
        }
        return others.filter { $0 != self }
    }

    static let reductions: [Reduction] = [
        .none, .evict("streaming"), .evict("snapkv"), .evict("h2o"), .evict("rms"), .merge,
    ]

    func with(_ change: (inout Candidate) -> Void) -> Candidate {
        var candidate = self
        change(&candidate)
        return candidate
    }
}
