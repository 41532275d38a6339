import ArgumentParser
import Foundation
import KVCompress
import KVFiles

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a KV dump or a .kvc file holds.",
        discussion:
            "Reads the whole of a .kvc file and verifies its checksums; of a dump the header and the keys."
    )

    @Argument(help: "A KV dump or a .kvc file.", completion: .file())
    var file: String

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let url = URL(fileURLWithPath: file)
        let mapped = try MappedFile(url)
        let isContainer =
            url.pathExtension == "kvc" || mapped.bytes.dropFirst().starts(with: "KVC".utf8)
        let summary =
            if isContainer {
                try Summary(Container(url), file)
            } else {
                try Summary(KVDump.read(url), file, bytes: mapped.byteCount)
            }
        print(json ? try jsonText(summary) : summary.text.printable)
    }
}

/// What there is to say of a file.
private struct Summary: Encodable {
    struct Layer: Encodable, Equatable {
        let kvHeads: Int
        let keyDim: Int
        let valueDim: Int
        /// Of a dump that carries queries.
        var queryHeads: Int?
        var formats: [String]?

        enum CodingKeys: String, CodingKey {
            case formats
            case kvHeads = "kv_heads"
            case keyDim = "key_dim"
            case valueDim = "value_dim"
            case queryHeads = "query_heads"
        }

        var text: String {
            let heads =
                queryHeads.map { "\(kvHeads) kv heads for \($0) query heads" }
                ?? "\(kvHeads) kv heads"
            let dims =
                keyDim == valueDim
                ? "head dim \(keyDim)" : "key dim \(keyDim), value dim \(valueDim)"
            return "\(heads), \(dims)"
                + (formats.map { ", " + $0.joined(separator: " and ") } ?? "")
        }
    }

    enum Kind: String, Encodable {
        case dump = "kv-dump", container = "kvc"
    }

    let kind: Kind
    let bytes: Int
    /// The length that a packed .kvc file would have unpacked.
    var unpackedBytes: Int?
    let tokens: Int
    /// Queries per head that a dump carries.
    var queries: Int?
    /// Dimensions that hold 90% of the keys' energy, layer by layer, of a dump.
    var keyRanks: [Double]?
    let layers: [Layer]
    let metadata: [String: String]
    /// Of a .kvc file.
    var report: Report?

    enum CodingKeys: String, CodingKey {
        case kind, bytes, tokens, queries, layers, metadata, report
        case keyRanks = "key_ranks"
        case unpackedBytes = "unpacked_bytes"
    }

    init(_ cache: Cache, _ path: String, bytes: Int) throws {
        kind = .dump
        self.bytes = bytes
        tokens = cache.tokens
        queries = cache.layers[0].queries?[0].count ?? 0
        keyRanks = try cache.layers.enumerated().map { index, layer in
            try naming("\(path): layer \(index)") { () throws(CompressionError) in
                try layer.effectiveKeyRank()
            }
        }
        metadata = cache.metadata
        layers = cache.layers.map { layer in
            let geometry = layer.geometry
            return Layer(
                kvHeads: geometry.kvHeads,
                keyDim: geometry.keyDim,
                valueDim: geometry.valueDim,
                queryHeads: layer.queries?.count,
                formats: Set((layer.keys + layer.values).map(\.format.rawValue)).sorted()
            )
        }
    }

    init(_ container: Container, _ path: String) throws {
        let compressed = try CompressedCache(container, path)
        kind = .container
        bytes = container.file.byteCount
        if container.unpackedByteCount > bytes { unpackedBytes = container.unpackedByteCount }
        tokens = compressed.tokens
        metadata = compressed.metadata
        layers = compressed.geometry.map {
            Layer(kvHeads: $0.kvHeads, keyDim: $0.keyDim, valueDim: $0.valueDim)
        }
        report = compressed.report
    }

    var text: String {
        var table = Table(leading: 2)
        table.add([
            "file",
            (kind == .dump ? "KV dump" : "compressed cache (.kvc)") + ", \(bytes.grouped) bytes"
                + (unpackedBytes.map { ", packed from \($0.grouped)" } ?? ""),
        ])
        for (name, value) in metadata.sorted(by: { $0.key < $1.key })
        where !["format", "keys"].contains(name) {
            table.add([name, value])
        }
        if let queries {
            table.add(["tokens", tokens.grouped])
            table.add(["queries", queries == 0 ? "none" : "of the last \(queries.grouped) tokens"])
        }
        var first = 0
        for end in 1...layers.count where end == layers.count || layers[end] != layers[first] {
            let name = first + 1 == end ? "layer \(first)" : "layers \(first)...\(end - 1)"
            table.add([name, layers[first].text])
            first = end
        }
        if let keyRanks {
            let numbers = keyRanks.map { String(format: "%.0f", $0) }.joined(separator: " ")
            table.add([
                "key ranks", numbers + " (dimensions that hold 90% of a layer's key energy)",
            ])
        }
        return table.text + (report.map { "\n" + $0.text() } ?? "")
    }
}
