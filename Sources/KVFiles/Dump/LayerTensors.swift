import KVCompress

/// The tensors of a file that are named `layers.{i}.key`, `.value` or `.query`, layer by layer.
struct LayerTensors {
    enum Kind: String, CaseIterable {
        case key, value, query

        func name(_ layer: Int) -> String { "layers.\(layer).\(rawValue)" }
    }

    private let file: Safetensors
    /// What each layer has, from layer 0 without a gap.
    let layers: [[Kind: Safetensors.Tensor]]

    /// Sorts the tensors of a file into layers.
    ///
    /// - Throws: `FileError` for a tensor that bears another name, or a layer left out.
    init(_ file: Safetensors) throws(FileError) {
        self.file = file
        var found: [Int: [Kind: Safetensors.Tensor]] = [:]
        for (name, tensor) in file.tensors.sorted(by: { $0.key < $1.key }) {
            guard let (layer, kind) = Self.parse(name) else {
                throw FileError(
                    .shape, file.file.url,
                    "unexpected tensor \(quoted(name)); valid are "
                        + "layers.{i}.key, layers.{i}.value and layers.{i}.query")
            }
            found[layer, default: [:]][kind] = tensor
        }
        var layers: [[Kind: Safetensors.Tensor]] = []
        while layers.count < found.count {
            guard let layer = found[layers.count] else {
                throw FileError(
                    .shape, file.file.url,
                    "layer \(layers.count) is missing, layer \(found.keys.max() ?? 0) is there")
            }
            layers.append(layer)
        }
        self.layers = layers
    }

    private static func parse(_ name: String) -> (layer: Int, kind: Kind)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "layers", let layer = Int(parts[1]), layer >= 0,
            let kind = Kind(rawValue: String(parts[2])), kind.name(layer) == name
        else { return nil }
        return (layer, kind)
    }

    /// The heads of a tensor that every layer must have.
    func required(_ kind: Kind, _ layer: Int) throws(FileError) -> [Rows] {
        guard let rows = try rows(kind, layer) else {
            throw FileError(.shape, file.file.url, "\(kind.name(layer)) is missing")
        }
        return rows
    }

    /// The heads of a tensor `[heads, count, dim]`, or `[1, heads, count, dim]`; nil when there is none.
    func rows(_ kind: Kind, _ layer: Int) throws(FileError) -> [Rows]? {
        guard let tensor = layers[layer][kind] else { return nil }
        func fail(_ code: FileError.Code, _ what: String) -> FileError {
            FileError(code, file.file.url, "\(tensor.name): \(what)")
        }

        guard let format = tensor.dataType.elementFormat else {
            throw fail(
                .unsupported, "numbers are \(tensor.dataType.rawValue); valid are F32, F16 and BF16"
            )
        }
        let shape =
            tensor.shape.count == 4 && tensor.shape[0] == 1
            ? Array(tensor.shape.dropFirst()) : tensor.shape
        guard shape.count == 3 else {
            throw fail(
                .shape,
                "shape \(clipped(tensor.shape)); valid is [heads, tokens, dim], "
                    + "perhaps behind a batch axis of 1")
        }
        guard shape[0] >= 1, shape[1] >= 1, (1...1024).contains(shape[2]) else {
            throw fail(
                .shape,
                "shape \(shape); valid are 1 or more heads and tokens, "
                    + "and head dims of 1...1024")
        }
        // From here on no product exceeds the file, which holds this many elements.
        var storage = file.storage(of: tensor)
        if UInt(bitPattern: storage.bytes.baseAddress) % UInt(format.byteCount) != 0 {
            storage = Storage(copying: Array(storage.bytes))
        }
        return (0..<shape[0]).map { head in
            Rows(
                storage: storage, byteOffset: head * shape[1] * shape[2] * format.byteCount,
                format: format, count: shape[1], dim: shape[2])
        }
    }
}
