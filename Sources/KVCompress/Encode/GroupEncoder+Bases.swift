/// The maps through which a head's coded rows are stored: the plan's projection, then what codecs want of
/// their own.
struct RowBases {
    fileprivate(set) var projection: Basis?
    fileprivate(set) var own: Basis?

    /// Those of rows that are written in a configuration.
    func bases(_ configuration: CodecConfiguration) -> [Basis] {
        [projection, configuration.wantsBasis ? own : nil].compactMap { $0 }
    }
}

extension GroupEncoder {
    /// The maps of a head's own coded rows, or of those that it shares.
    ///
    /// On a side that is not `sharing`, all rows are a head's own.
    func bases(
        _ side: Side, _ layer: Int, _ head: Int, of shared: SharedRows?, sharing: Bool
    ) -> RowBases {
        var bases = RowBases()
        let strands = strands[layer][head].filter {
            !sharing || ($0.shared != nil) == (shared != nil)
        }
        let wanting = strands.first { $0.codecs[side].wantsBasis }
        // A sharer with maps of its own has projected the rows already.
        let projector = shared?.bases == nil ? projectors[layer] : nil
        guard projector != nil || wanting != nil else { return bases }
        let draft: DraftRows
        let entries: [Int]
        if let shared {
            draft = shared.draft(head)
            entries = Array(0..<draft.count)
        } else {
            draft = drafts[layer][head].rows(side)
            entries = strands.filter { !$0.isWindow }.flatMap(\.entries).sorted()
        }
        guard !entries.isEmpty else { return bases }
        var rows = allocator.scratch(Float.self, entries.count * draft.dim)
        draft.write(entries, to: rows.pointer, kernels: kernels)
        if let projector {
            let own = layers.lowerBound + layer
            let positions = drafts[layer][head].positions
            let input = ProjectInput(
                observation: observation, layers: shared == nil ? own..<own + 1 : layers,
                head: head, rows: rows, count: entries.count, dim: draft.dim,
                positions: shared == nil
                    ? entries.map { positions[$0] }
                    : self.shared[layer][head].map { positions[$0] })
            // A basis that takes more bytes than it saves is none.
            if let basis = projector.basis(side, input), basis.pays(for: strands, side) {
                bases.projection = basis
            }
        }
        if let wanting {
            var dim = draft.dim
            if let projection = bases.projection {
                dim = projection.rank
                let projected = allocator.scratch(Float.self, entries.count * dim)
                projection.encode(
                    rows.pointer, count: entries.count, to: projected.pointer, kernels: kernels)
                rows = projected
            }
            bases.own = own(wanting.codecs[side], rows, count: entries.count, dim: dim)
        }
        return bases
    }

    /// The basis that a codec wants for rows.
    private func own(
        _ configuration: CodecConfiguration, _ rows: Buffer<Float>, count: Int, dim: Int
    ) -> Basis {
        if let turboquant = configuration.turboquant {
            return rotations.basis(turboquant, dim: dim, allocator: allocator, kernels: kernels)
        }
        var largest = [Float](repeating: 0, count: dim)
        for row in 0..<count {
            for channel in 0..<dim {
                largest[channel] = max(largest[channel], abs(rows.pointer[row * dim + channel]))
            }
        }
        // The smallest normal half keeps factors of channels of zeros above 0.
        return Basis(
            diagonal: largest.map { max($0.squareRoot(), 0x1p-14) }, allocator: allocator,
            kernels: kernels)
    }
}

extension Basis {
    /// Whether one side of some strands takes no more bytes through it, itself included.
    fileprivate func pays(for strands: [Strand], _ side: Side) -> Bool {
        func bytes(_ dim: Int) -> Int {
            strands.reduce(0) { sum, strand in
                let codec = strand.codecs[side].codec(side, dim: dim)
                return sum + codec.storedBytes(strand.entries.count).values.reduce(0, +)
            }
        }
        return bytes(rank) + byteCount <= bytes(dim)
    }
}
