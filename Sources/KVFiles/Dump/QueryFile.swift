public import Foundation
public import KVCompress

/// Queries to attend with, and the outputs of attention, as safetensors.
public enum QueryFile {
    /// What attention gave in one layer, as f32.
    public struct Output {
        let shape: [Int]
        let values: [Float]

        /// Packed outputs: query head after query head, query after query.
        public init(queryHeads: Int, queries: Int, dim: Int, values: [Float]) {
            precondition(values.count == queryHeads * queries * dim)
            shape = [queryHeads, queries, dim]
            self.values = values
        }
    }

    /// Maps a file's `layers.{i}.query` `[query_heads, n, head_dim]`: one `Rows` per layer and query head.
    ///
    /// F32, F16 or BF16, for every layer from 0; n may differ between layers. Keys and values beside
    /// them are passed over, so that a KV dump serves as well.
    ///
    /// - Throws: `FileError` naming the tensor that is missing or has the wrong shape.
    public static func read(_ url: URL) throws(FileError) -> [[Rows]] {
        let tensors = try LayerTensors(Safetensors(url))
        guard !tensors.layers.isEmpty else {
            throw FileError(.shape, url, "it has no tensor layers.0.query")
        }
        var queries: [[Rows]] = []
        for index in tensors.layers.indices { queries.append(try tensors.required(.query, index)) }
        return queries
    }

    /// Writes `layers.{i}.output` `[query_heads, n, value_dim]` as F32.
    ///
    /// - Throws: `FileError` when the file cannot be written.
    public static func write(
        outputs: [Output], metadata: [String: String] = [:], to url: URL
    ) throws(FileError) {
        let tensors = outputs.enumerated().map { index, output in
            Safetensors.NewTensor(
                name: "layers.\(index).output", shape: output.shape, output.values)
        }
        try Safetensors.write(tensors, metadata: metadata, to: url)
    }
}
