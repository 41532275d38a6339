public import Foundation
public import KVCompress

/// The interchange file of full caches: safetensors with one key, value and perhaps query per layer.
///
/// `layers.{i}.key` is `[kv_heads, tokens, key_dim]`, `layers.{i}.value` `[kv_heads, tokens, value_dim]`
/// and the optional `layers.{i}.query` `[query_heads, last_n_tokens, key_dim]`, in F32, F16 or BF16; a
/// leading batch axis of 1 is accepted. Keys and queries are post-RoPE.
public enum KVDump {
    /// Maps a dump and checks its shapes; the cache views the file, and no number is read.
    ///
    /// Tensors that do not lie aligned to their elements are copied.
    ///
    /// - Throws: `FileError` naming the tensor that is missing or does not fit.
    public static func read(_ url: URL) throws(FileError) -> Cache {
        let file = try Safetensors(url)
        try check(file.metadata, "format", is: "kv-dump", url)
        try check(file.metadata, "keys", is: "post-rope", url)
        let tensors = try LayerTensors(file)
        guard !tensors.layers.isEmpty else {
            throw FileError(.shape, url, "no KV dump: it has no tensor layers.0.key")
        }
        var layers: [CacheLayer] = []
        for index in tensors.layers.indices {
            layers.append(
                CacheLayer(
                    keys: try tensors.required(.key, index),
                    values: try tensors.required(.value, index),
                    queries: try tensors.rows(.query, index)))
        }
        let observed = layers.map { $0.queries?[0].count }
        for (index, count) in observed.enumerated() where count != observed[0] {
            func words(_ count: Int?) -> String {
                count.map { "\($0) queries per head" } ?? "no queries"
            }
            throw FileError(
                .shape, url, "layer \(index) has \(words(count)), layer 0 has \(words(observed[0]))"
            )
        }
        do {
            return try Cache(layers: layers, metadata: file.metadata)
        } catch {
            throw FileError(.shape, url, error.description)
        }
    }

    private static func check(
        _ metadata: [String: String], _ name: String, is expected: String, _ url: URL
    ) throws(FileError) {
        guard let found = metadata[name], found != expected else { return }
        throw FileError(
            .unsupported, url,
            "metadata says \(name)=\(quoted(found)); only \(expected) can be read")
    }

    /// Writes a cache as a dump, every tensor in the number format of its rows.
    ///
    /// A tensor whose heads differ in format is written as F32. The cache's metadata is kept, `format`
    /// and `keys` are added.
    ///
    /// - Throws: `FileError` when the file cannot be written.
    public static func write(_ cache: Cache, to url: URL) throws(FileError) {
        var tensors: [Safetensors.NewTensor] = []
        for (index, layer) in cache.layers.enumerated() {
            tensors.append(tensor(LayerTensors.Kind.key.name(index), layer.keys))
            tensors.append(tensor(LayerTensors.Kind.value.name(index), layer.values))
            if let queries = layer.queries {
                tensors.append(tensor(LayerTensors.Kind.query.name(index), queries))
            }
        }
        let fixed = ["format": "kv-dump", "keys": "post-rope"]
        try Safetensors.write(
            tensors, metadata: cache.metadata.merging(fixed) { $1 }, to: url)
    }

    private static func tensor(_ name: String, _ heads: [Rows]) -> Safetensors.NewTensor {
        let uniform = heads.allSatisfy { $0.format == heads[0].format }
        let format = uniform ? heads[0].format : .f32
        return Safetensors.NewTensor(
            name: name, dataType: Safetensors.DataType(format),
            shape: [heads.count, heads[0].count, heads[0].dim]
        ) { writer throws(FileError) in
            for rows in heads {
                guard rows.format == format else {
                    try writer.write(rows.floats())
                    continue
                }
                for row in 0..<rows.count { try writer.write(rows.bytes(row: row)) }
            }
        }
    }
}

extension Safetensors.DataType {
    /// The type that holds an element format.
    init(_ format: ElementFormat) {
        switch format {
        case .f32: self = .f32
        case .f16: self = .f16
        case .bf16: self = .bf16
        }
    }

    /// The element format that rows of this type have, nil for integers and other widths.
    var elementFormat: ElementFormat? { ElementFormat.allCases.first { Self($0) == self } }
}
