import Foundation

/// Writes the entries of a group of layers that may share stores.
///
/// Keys come first, then values, which may be fitted to the stored keys, then what stands beside them.
/// Each of the three is one allocation.
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
    /// `[layer in the group]`.
    let projectors: [(any Projector)?]
    let rotations: Rotations
    let fit: Fit?
    let observation: Observation
    /// Where a file holds the values; nil keeps them in memory.
    let valueDirectory: URL?
    /// The threads that one group may use.
    let workers: Workers
    /// Whether rows are checked as they are written, because nobody did before.
    let limits: ((_ side: Side, _ layer: Int) -> Float)?

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
        let fitted = fit.map { self.fitted(by: $0, to: keys) } ?? self
        return fitted.assemble(keys, try fitted.write(.values))
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
                let own = bases(side, layer, head, of: nil, sharing: shared != nil)
                let common =
                    layer == 0 && head == home
                    ? shared.map { bases(side, layer, head, of: $0, sharing: true) } : nil
                let positions = drafts[layer][head].positions
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
                                codec: strand.codec(
                                    side, dim: shared.dim, through: common, positions))
                    } else {
                        place = writer.add(
                            drafts[layer][head].rows(side), strand.entries,
                            codec: strand.codec(
                                side, dim: dim(side, layer), through: strand.isWindow ? nil : own,
                                positions),
                            limit: limit(side, layer, head))
                    }
                    places[layer][head].append(place)
                }
            }
        }
        let stores = try writer.write(
            in: side == .values ? valueDirectory : nil, allocator: allocator, kernels: kernels,
            workers: workers)
        return scaled(places.map { $0.map { $0.map { Written(store: stores[$0]) } } }, shared)
    }

    private func limit(_ side: Side, _ layer: Int, _ head: Int) -> WriteLimit? {
        guard let limits else { return nil }
        let layer = layers.lowerBound + layer
        return WriteLimit(
            most: limits(side, layer),
            place: "layer \(layer), \(side == .keys ? "key" : "value") head \(head)")
    }

    /// Stored keys of one head as attention sees them, packed, in the order of its draft.
    func storedKeys(_ keys: WrittenSide, _ layer: Int, _ head: Int) -> Buffer<Float> {
        let dim = dim(.keys, layer), strands = strands[layer][head]
        let rows = allocator.scratch(Float.self, drafts[layer][head].count * dim)
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
                    let positions = written.positions(placed.positions)
                    return Segment(
                        keys: keys[layer][head][number].store.at(positions),
                        values: values[layer][head][number].store,
                        positions: positions,
                        logitBias: placed.bias.map(written.vector),
                        keyScale: placed.keyScale.map(written.vector),
                        valueScale: placed.valueScale.map(written.vector))
                }
            }
            return LayerCache(geometry: geometry(layer), heads: heads)
        }
    }
}

extension Strand {
    /// What one side is written in, by its head's positions.
    fileprivate func codec(
        _ side: Side, dim: Int, through bases: RowBases?, _ positions: [UInt32]
    ) -> any Codec {
        let bases = bases?.bases(codecs[side]) ?? []
        // Positions are stored last, but RoPE is undone now.
        let here = bases.first?.rope.map { _ in Positions(copying: entries.map { positions[$0] }) }
        return codecs[side].codec(side, dim: dim, through: bases, at: here)
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
