import Foundation

/// Writes the entries of a group of layers that may share stores: keys first, then values, then what stands
/// beside them. Each of the three is one allocation.
struct GroupEncoder {
    /// The layers of the group.
    let layers: Range<Int>
    /// `[layer in the group][head]`.
    var drafts: [[HeadDraft]]
    /// Places of shared entries in their drafts, `[layer in the group][head]`.
    let shared: [[[Int]]]
    /// `[layer in the group][head]`.
    let strands: [[[Strand]]]
    let sharer: (any Sharer)?
    let projector: (any Projector)?
    let observation: Observation
    /// Where a file holds the values; nil keeps them in memory.
    let valueDirectory: URL?

    var kernels: Kernels { observation.kernels }
    var allocator: Allocator { observation.allocator }

    private func geometry(_ layer: Int) -> LayerGeometry {
        observation.cache.layers[layers.lowerBound + layer].geometry
    }

    func dim(_ side: Side, _ layer: Int) -> Int {
        side == .keys ? geometry(layer).keyDim : geometry(layer).valueDim
    }

    /// A strand of one side after it was written.
    struct Written {
        var store: Store
        /// What its rows are multiplied by, exact in halves; nil when they are what they seem.
        var scales: [Float]?
    }

    /// `[layer in the group][head][strand]`.
    typealias WrittenSide = [[[Written]]]

    /// Encodes everything and puts the layers together.
    func encode() throws(CompressionError) -> [LayerCache] {
        let keys = try write(.keys)
        let values = try write(.values)
        return assemble(keys, values)
    }

    // MARK: One side

    /// Writes one side of every strand; what is shared is written with the first layer, or head, that has it.
    private func write(_ side: Side) throws(CompressionError) -> WrittenSide {
        let shared = sharedRows(side)
        var writer = StoreWriter()
        var places: [[[Int]]] = []
        for layer in drafts.indices {
            places.append([])
            for head in drafts[layer].indices {
                let home = shared?.rows.count == 1 ? 0 : head
                let own = basis(side, layer, head, of: nil)
                let common =
                    layer == 0 && shared?.bases == nil
                    ? basis(side, layer, head, of: shared) : nil
                places[layer].append([])
                for (number, strand) in strands[layer][head].enumerated() {
                    let place: Int
                    if let shared, let entries = strand.shared {
                        // Shared strands come first, and are cut alike in all layers and heads.
                        place =
                            layer > 0 || head != home
                            ? places[0][home][number]
                            : writer.add(
                                shared.draft(head), entries,
                                codec: strand.codecs[side].codec(
                                    side, dim: shared.dim, through: common))
                    } else {
                        place = writer.add(
                            drafts[layer][head].rows(side), strand.entries,
                            codec: strand.codecs[side].codec(
                                side, dim: dim(side, layer), through: strand.isWindow ? nil : own))
                    }
                    places[layer][head].append(place)
                }
            }
        }
        let stores = try writer.write(
            in: side == .values ? valueDirectory : nil, allocator: allocator, kernels: kernels)
        return scaled(places.map { $0.map { $0.map { Written(store: stores[$0]) } } }, shared)
    }

    /// The basis of a head's own coded rows, or of those that it shares; nil when there is none or it would
    /// take more bytes than it saves.
    private func basis(_ side: Side, _ layer: Int, _ head: Int, of shared: SharedRows?) -> Basis? {
        guard let projector else { return nil }
        let draft: DraftRows
        let entries: [Int]
        if let shared {
            draft = shared.draft(head)
            entries = Array(draft.indices.indices)
        } else {
            draft = drafts[layer][head].rows(side)
            entries = strands[layer][head].filter { !$0.isWindow && $0.shared == nil }
                .flatMap(\.entries).sorted()
        }
        guard !entries.isEmpty else { return nil }
        let rows = allocator.buffer(Float.self, entries.count * draft.rows.dim)
        draft.write(entries, to: rows.pointer, kernels: kernels)
        let own = layers.lowerBound + layer
        let positions = drafts[layer][head].positions
        let basis = projector.basis(
            side,
            ProjectInput(
                observation: observation, layers: shared == nil ? own..<own + 1 : layers,
                head: head, rows: rows, count: entries.count, dim: draft.rows.dim,
                positions: shared == nil
                    ? entries.map { positions[$0] } : self.shared[layer][head].map { positions[$0] }
            ))
        guard let basis, basis.pays(for: entries.count) else { return nil }
        return basis
    }

    /// Stored keys of one head as attention sees them, packed, in the order of its draft.
    func storedKeys(_ keys: WrittenSide, _ layer: Int, _ head: Int) -> Buffer<Float> {
        let dim = dim(.keys, layer), strands = strands[layer][head]
        let rows = allocator.buffer(Float.self, drafts[layer][head].count * dim)
        for (strand, written) in zip(strands, keys[layer][head]) {
            let decoded = written.store.decoded()
            for (index, entry) in strand.entries.enumerated() {
                let scale = written.scales?[index] ?? 1
                for element in 0..<dim {
                    rows.pointer[entry * dim + element] = decoded[index * dim + element] * scale
                }
            }
        }
        return rows
    }

    // MARK: Assembly

    private struct Placed {
        let positions: EntryWriter.PositionPlace
        let bias: EntryWriter.VectorPlace?
        let keyScale: EntryWriter.VectorPlace?
        let valueScale: EntryWriter.VectorPlace?
    }

    private func assemble(_ keys: WrittenSide, _ values: WrittenSide) -> [LayerCache] {
        var writer = EntryWriter()
        var placed: [[[Placed]]] = []
        for layer in drafts.indices {
            placed.append([])
            for head in drafts[layer].indices {
                let draft = drafts[layer][head]
                placed[layer].append(
                    zip(strands[layer][head], zip(keys[layer][head], values[layer][head])).map {
                        strand, sides in
                        Placed(
                            positions: writer.add(strand.entries.map { draft.positions[$0] }),
                            bias: draft.mass.vector(strand.entries).map { writer.add($0.0, $0.1) },
                            keyScale: sides.0.scales.map { writer.add($0, .f16) },
                            valueScale: sides.1.scales.map { writer.add($0, .f16) })
                    })
            }
        }
        let written = writer.write(allocator: allocator, kernels: kernels)
        return drafts.indices.map { layer in
            let heads = drafts[layer].indices.map { head in
                placed[layer][head].enumerated().map { number, placed in
                    Segment(
                        keys: keys[layer][head][number].store,
                        values: values[layer][head][number].store,
                        positions: written.positions(placed.positions),
                        logitBias: placed.bias.map(written.vector),
                        keyScale: placed.keyScale.map(written.vector),
                        valueScale: placed.valueScale.map(written.vector))
                }
            }
            return LayerCache(geometry: geometry(layer), heads: heads)
        }
    }
}

extension Mass {
    /// What is stored for some entries; nil when each stands for one token.
    fileprivate func vector(_ entries: [Int]) -> ([Float], EntryVector.Format)? {
        switch self {
        case .ones: return nil
        case .votes(let votes):
            let votes = entries.map { Float(votes[$0]) }
            return votes.allSatisfy { $0 == 1 } ? nil : (votes, .votes)
        case .bias(let bias): return (entries.map { bias[$0] }, .f16)
        }
    }
}
