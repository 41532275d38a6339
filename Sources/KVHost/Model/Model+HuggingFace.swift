import Foundation
import KVFiles

extension Model {
    /// The model in a folder with `config.json` and one `model.safetensors`, or several and their index.
    init(huggingFace folder: URL) throws(FileError) {
        let url = folder.appending(path: "config.json")
        let configuration = try HuggingFaceConfiguration.read(url)
        let shape = try configuration.shape(url)
        var entries: [String: WeightTable.Entry] = [:]
        for name in try Self.shards(folder) {
            let file = try Safetensors(folder.appending(path: name))
            for tensor in file.tensors.values {
                let entry = WeightTable.Entry(
                    storage: file.storage(of: tensor), format: TensorFormat(tensor.dataType),
                    formatName: tensor.dataType.rawValue, shape: tensor.shape)
                guard entries.updateValue(entry, forKey: tensor.name) == nil else {
                    throw FileError(
                        .format, folder,
                        "the tensor \(tensor.name.debugDescription) is in two files")
                }
            }
        }
        var table = WeightTable(url: folder, entries: entries)
        let isTied = configuration.tieWordEmbeddings ?? false
        // Frequencies that old checkpoints carry along; a tied head is stored twice by some.
        table.ignore {
            $0.hasSuffix(".rotary_emb.inv_freq") || isTied && $0 == Naming.huggingFace.head
        }
        guard isTied || table.has(Naming.huggingFace.head) else {
            throw FileError(
                .shape, folder,
                "\(Naming.huggingFace.head) is missing, and tie_word_embeddings is not true")
        }
        try self.init(&table, .huggingFace, shape, vocabulary: configuration.vocabSize)
    }

    private struct Index: Decodable {
        var weightMap: [String: String]
    }

    /// The names of the folder's safetensors files.
    private static func shards(_ folder: URL) throws(FileError) -> [String] {
        let url = folder.appending(path: "model.safetensors.index.json")
        guard FileManager.default.fileExists(atPath: url.path) else { return ["model.safetensors"] }
        let names = Set(try decodeJSON(Index.self, url).weightMap.values).sorted()
        // Files beside the index, nowhere else.
        if let name = names.first(where: { $0.contains("/") || $0.hasPrefix(".") || $0.isEmpty }) {
            throw FileError(.format, url, "\(name.prefix(80).debugDescription) is no file name")
        }
        return names
    }
}

extension TensorFormat {
    /// The format of plain floats; nil for other types.
    fileprivate init?(_ type: Safetensors.DataType) {
        switch type {
        case .f32: self = .f32
        case .f16: self = .f16
        case .bf16: self = .bf16
        default: return nil
        }
    }
}
