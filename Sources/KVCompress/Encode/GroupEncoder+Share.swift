import Foundation

/// What the layers of a group have in common.
extension GroupEncoder {
    /// Decides what is shared and cuts every head into strands.
    ///
    /// - Parameters:
    ///   - codecs: what classes are written in, `[layer in the group]`.
    ///   - window: newest entries that stay in f16.
    ///   - projectors: what finds bases, `[layer in the group]`; nil where rows stay as they are.
    ///   - valueDirectory: where a file holds the values; nil keeps them in memory.
    ///   - workers: the threads that the group may use.
    ///   - limits: the largest magnitude of a side of a layer, for rows that nobody has checked.
    init(
        layers: Range<Int>, drafts: [[HeadDraft]], codecs: [[CodecPair]], window: Int,
        sharer: (any Sharer)?, projectors: [(any Projector)?], rotations: Rotations, fit: Fit?,
        observation: Observation, valueDirectory: URL?, workers: Workers,
        limits: ((_ side: Side, _ layer: Int) -> Float)? = nil, remarks: inout [String]
    ) {
        self.layers = layers
        self.drafts = drafts
        self.sharer = sharer
        self.projectors = projectors
        self.rotations = rotations
        self.fit = fit
        self.observation = observation
        self.valueDirectory = valueDirectory
        self.workers = workers
        self.limits = limits
        var shared = drafts.map { $0.map { _ in [Int]() } }
        if let sharer, layers.count > 1 {
            let kinds = Set(layers.map { observation.cache.layers[$0].geometry })
            let name = "layers \(layers.lowerBound) to \(layers.upperBound - 1)"
            if kinds.count > 1 || Set(codecs).count > 1 {
                remarks.append("\(name) differ in shape or codec and share nothing")
            } else {
                shared = Self.shared(
                    layers, drafts, window: window, sharer: sharer, observation: observation,
                    workers: workers, remarks: &remarks)
                let entries = drafts.joined().reduce(0) { $0 + $1.count }
                let common = shared.joined().reduce(0) { $0 + $1.count }
                let percent = Double(common * 1000 / max(entries, 1)) / 10
                remarks.append("\(name) share \(percent)% of their entries")
            }
        }
        self.shared = shared
        strands = drafts.indices.map { layer in
            drafts[layer].indices.map { head in
                Strand.strands(
                    of: drafts[layer][head], codecs: codecs[layer], window: window,
                    shared: shared[layer][head])
            }
        }
    }

    private static func shared(
        _ layers: Range<Int>, _ drafts: [[HeadDraft]], window: Int, sharer: any Sharer,
        observation: Observation, workers: Workers, remarks: inout [String]
    ) -> [[[Int]]] {
        let places = commonPlaces(drafts, window: window, perHead: sharer.isPerHead)
        let keys = commonRows(.keys, layers, drafts, places, observation, workers)
        guard places[0].contains(where: { !$0.isEmpty }),
            let retained = sharer.retained(keys, remarks: &remarks)
        else { return places.map { $0.map { _ in [] } } }
        return places.map { layer in
            zip(layer, retained).map { places, retained in
                [Int](unsafeUninitializedCapacity: places.count) { shared, count in
                    for (place, stays) in zip(places, retained) {
                        shared[count] = place
                        count += stays ? 0 : 1
                    }
                }
            }
        }
    }

    /// The places of entries with the same position, votes and codec in all layers, and in all heads unless
    /// those share apart: `[layer in the group][head]`.
    private static func commonPlaces(
        _ drafts: [[HeadDraft]], window: Int, perHead: Bool
    ) -> [[[Int]]] {
        let first = drafts[0][0]
        if drafts.joined().allSatisfy({
            $0.mass == .ones && $0.classes == nil && $0.positions == first.positions
        }) {
            let all = Array(0..<first.count - min(window, first.count))
            return drafts.map { $0.map { _ in all } }
        }
        let coded = drafts.map { heads in
            heads.map { draft in
                (0..<draft.count - min(window, draft.count)).map { entry in
                    EntryKind(
                        position: draft.positions[entry], votes: draft.mass.votes(entry),
                        codec: draft.classes?[entry] ?? 0)
                }
            }
        }
        var common = drafts[0].indices.map { head in
            coded.dropFirst().reduce(coded[0][head]) { $1[head].inCommon(with: $0) }
        }
        if !perHead {
            let all = common.dropFirst().reduce(common[0]) { $1.inCommon(with: $0) }
            common = common.map { _ in all }
        }
        return coded.map { zip($0, common).map { $0.places(of: $1) } }
    }

    private static func commonRows(
        _ side: Side, _ layers: Range<Int>, _ drafts: [[HeadDraft]], _ places: [[[Int]]],
        _ observation: Observation, _ workers: Workers
    ) -> CommonRows {
        CommonRows(
            layers: layers,
            rows: zip(drafts, places).map { drafts, places in
                zip(drafts, places).map { SomeRows(rows: $0.rows(side), entries: $1) }
            },
            counts: places[0].map(\.count), dim: drafts[0][0].rows(side).dim,
            kernels: observation.kernels, allocator: observation.allocator, workers: workers)
    }

    /// What is written once for a side; nil when nothing is.
    func sharedRows(_ side: Side) -> SharedRows? {
        guard let sharer, shared.joined().contains(where: { !$0.isEmpty }) else { return nil }
        return sharer.shared(
            side, Self.commonRows(side, layers, drafts, shared, observation, workers))
    }

    /// Finishes shared strands: scales that give rows their norms again, and the maps of every head.
    func scaled(_ written: WrittenSide, _ shared: SharedRows?) -> WrittenSide {
        guard let shared else { return written }
        var written = written
        if let norms = shared.norms {
            let lengths = lengths(written[0], wholeRow: norms[0].allSatisfy { $0 === norms[0][0] })
            forEachShared { layer, head, number, places in
                let ratios = places.map { place in
                    let length = lengths[head][place]
                    return length > 0 ? Float(Double(norms[layer][head][place]) / length) : 0
                }
                written[layer][head][number].scales = kernels.rounded(ratios)
            }
        }
        if let bases = shared.bases {
            forEachShared { layer, head, number, _ in
                written[layer][head][number].store =
                    written[layer][head][number].store.through(bases[layer][head])
            }
        }
        return written
    }

    private func forEachShared(
        _ body: (_ layer: Int, _ head: Int, _ number: Int, _ places: [Int]) -> Void
    ) {
        for layer in strands.indices {
            for head in strands[layer].indices {
                for (number, strand) in strands[layer][head].enumerated() {
                    if let places = strand.shared { body(layer, head, number, places) }
                }
            }
        }
    }

    /// Lengths of the shared rows as they were encoded, of every head or of all heads' rows together.
    private func lengths(_ written: [[Written]], wholeRow: Bool) -> [[Double]] {
        var squares = shared[0].map { [Double](repeating: 0, count: $0.count) }
        forEachShared { layer, head, number, places in
            guard layer == 0 else { return }
            let store = written[head][number].store
            var norms = [Float](repeating: 0, count: store.count)
            kernels.norms(store.decoded(), count: store.count, dim: store.codec.dim, to: &norms)
            for (norm, place) in zip(norms, places) {
                squares[head][place] = Double(norm) * Double(norm)
            }
        }
        if wholeRow {
            let sums = squares[0].indices.map { place in squares.reduce(0) { $0 + $1[place] } }
            squares = squares.map { _ in sums }
        }
        return squares.map { $0.map { $0.squareRoot() } }
    }
}

/// What an entry must have in common with another one to share its store.
private struct EntryKind: Equatable {
    let position: UInt32
    let votes: UInt32
    let codec: UInt8
}

/// Entries in ascending positions.
extension [EntryKind] {
    /// The places of entries that stand in another list, too.
    fileprivate func places(of others: [EntryKind]) -> [Int] {
        var places: [Int] = [], rest = others[...]
        for (place, entry) in enumerated() {
            while let other = rest.first, other.position < entry.position { rest.removeFirst() }
            if rest.first == entry { places.append(place) }
        }
        return places
    }

    fileprivate func inCommon(with others: [EntryKind]) -> [EntryKind] {
        places(of: others).map { self[$0] }
    }
}

extension SharedRows {
    /// The rows that are written for a head.
    func draft(_ head: Int) -> DraftRows {
        rows.count == 1 ? rows[0] : rows[head]
    }
}

extension Store {
    /// The same bytes behind a basis.
    func through(_ basis: Basis) -> Store {
        Store(
            codec: ProjectedCodec(codec, basis: basis), storage: storage, byteOffset: byteOffset,
            count: count)
    }
}
