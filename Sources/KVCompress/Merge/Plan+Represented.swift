extension Plan {
    /// The tokens that a merging plan's entries are made of, per layer and head, ascending.
    ///
    /// Merges once more, since a compressed cache does not say what became of a token; nil for plans that do
    /// not merge, whose entries say it by their positions.
    func representedTokens(
        of cache: Cache, options: CompressionOptions
    ) throws(CompressionError) -> [[[UInt32]]]? {
        guard let merger else { return nil }
        let observation = Observation(
            cache: cache, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator)
        let selection = try select(from: observation, encode: encode ?? .plain)
        try merger.prepare(observation)
        var remarks: [String] = []  // the report has them
        return cache.layers.indices.map { layer in
            cache.layers[layer].keys.indices.map { head in
                let input = MergeInput(
                    observation: observation, layer: layer, head: head,
                    kept: selection.kept[layer][head])
                let draft = merger.merge(input, remarks: &remarks)
                return Set(draft.merged ?? draft.positions).sorted()
            }
        }
    }
}
