/// Two layers share the directions of their rows and keep norms of their own.
///
/// The direction lies between those of the two rows on the great circle, a little nearer to the upper
/// layer's. Tokens whose keys differ most stay as they are.
struct MiniCache: Sharer {
    /// What has a direction: the row of all heads of a layer, or of each one.
    enum Whole: String, CaseIterable { case layer, head }

    static let identity = MethodIdentity(
        name: "minicache",
        summary:
            "pairs of adjacent layers share the directions of keys and values, and keep their norms",
        source: "MiniCache, arXiv 2405.14366, section 3",
        differs:
            "the printed inequality of retention has the wrong sign (the most distinct "
            + "tokens stay unshared) and its Algorithm 2 swaps the weights: the equation and "
            + "the text are followed. Saves memory, not traffic: each layer of a pair reads "
            + "the directions itself",
        parameters: [
            ParameterDescription(
                "from", .share, default: "50%", "the first pair begins behind this share of layers"),
            ParameterDescription(
                "interpolation", .number(0...1), default: "0.6",
                "where the direction lies, from the lower layer's (0) to the upper one's (1)"),
            ParameterDescription(
                "retain", .share, default: "5%",
                "tokens stay unshared whose keys' angle lies in this top part of its range"),
            ParameterDescription(
                "rows", .words(Whole.self), default: "layer",
                "the row of all heads has a direction, or that of each head"),
            ParameterDescription(
                "similarity", .word("none", or: .number(-1...1)), default: "none",
                "pairs of layers whose keys have a lower mean cosine stay unshared"),
        ])

    let from: Share
    let interpolation: Double
    let retain: Share
    let whole: Whole
    /// Nil: every pair shares.
    let similarity: Double?

    init(_ arguments: Arguments) {
        from = arguments.share("from")
        interpolation = arguments.number("interpolation")
        retain = arguments.share("retain")
        whole = arguments.word("rows")
        if case .number(let least)? = arguments["similarity"] {
            similarity = least
        } else {
            similarity = nil
        }
    }

    var settings: [String: String] {
        [
            "from": from.description, "interpolation": decimalText(interpolation),
            "retain": retain.description, "rows": whole.rawValue,
            "similarity": similarity.map(decimalText) ?? "none",
        ]
    }

    var isPerHead: Bool { whole == .head }

    func groups(layers: Int) -> [Range<Int>] {
        let first = (from.millionths * layers + 999_999) / 1_000_000
        return (0..<first).map { $0..<$0 + 1 }
            + stride(from: first, to: layers, by: 2).map { $0..<min($0 + 2, layers) }
    }

    func retained(_ keys: CommonRows, remarks: inout [String]) -> [[Bool]]? {
        let wholes = pairs(keys)
        let rows = wholes.reduce(0) { $0 + $1.count }
        guard rows > 0 else { return nil }
        let cosines = wholes.reduce(0.0) { sum, pairs in
            (0..<pairs.count).reduce(sum) { $0 + Double(pairs.cosines[$1]) }
        }
        let cosine = cosines / Double(rows)
        let place = "layers \(keys.layers.lowerBound) to \(keys.layers.upperBound - 1)"
        let found = "\(place): mean cosine of keys \(decimalText((cosine * 1000).rounded() / 1000))"
        if let similarity, cosine < similarity {
            remarks.append(
                "\(found) is below similarity=\(decimalText(similarity)): nothing is shared")
            return nil
        }
        remarks.append(found)
        let retained = wholes.map(distinct)
        return isPerHead ? retained : keys.counts.map { _ in retained[0] }
    }

    func shared(_ side: Side, _ rows: CommonRows) -> SharedRows? {
        let wholes = pairs(rows)
        guard wholes.allSatisfy({ pairs in (0..<pairs.count).allSatisfy(pairs.isStorable) }) else {
            return nil
        }
        return SharedRows(
            rows: wholes.flatMap { $0.directions(at: Float(interpolation)) }, dim: rows.dim,
            norms: rows.layers.indices.map { layer in
                let layer = layer - rows.layers.lowerBound
                return rows.counts.indices.map { wholes[isPerHead ? $0 : 0].norms[layer] }
            })
    }

    /// What has directions of its own: every head, or all heads together.
    private func pairs(_ rows: CommonRows) -> [RowPairs] {
        let heads = rows.counts.indices
        return isPerHead
            ? heads.map { RowPairs(rows, heads: $0..<$0 + 1) } : [RowPairs(rows, heads: heads)]
    }

    /// The rows whose angle is in the top part of its range, and those with norms beyond a half.
    ///
    /// The paper prints the inequality the other way round, against its own text.
    private func distinct(_ pairs: RowPairs) -> [Bool] {
        let angles = (0..<pairs.count).map { Double(pairs.angles[$0]) }
        guard let least = angles.min(), let most = angles.max() else { return [] }
        let limit = most - Double(retain.millionths) / 1e6 * (most - least)
        return angles.indices.map { angles[$0] > limit || !pairs.isStorable($0) }
    }
}
