import Foundation
import KVCompress
import KVFiles

// A real cache: six layers of a 5M-parameter model over a story of 512 tokens.
let dump = URL(
    filePath: CommandLine.arguments.dropFirst().first ?? "data/tinystories-5m.kv.safetensors")
let cache = try KVDump.read(dump)

// Keep what SnapKV finds important, in 4 bits behind a rotation.
let plan = try Plan("snapkv(budget=50%) | q4(rotate=hadamard)")
let compressed = try plan.compress(cache)
let report = compressed.report
print(
    "\(cache.tokens) tokens, \(report.f16Bytes) bytes in f16, \(report.storedBytes) stored:",
    String(format: "%.1fx smaller", report.ratio))

// Attention runs on the compressed form: one output for each query head.
let queries = (cache.layers[0].queries ?? []).map { $0[511..<512] }
let outputs = try compressed.attend(queries, layer: 0)
print("\(outputs.count) query heads, \(outputs[0].count) values each")

// And back from disk, checked to the last bit.
let file = FileManager.default.temporaryDirectory.appending(path: "quickstart.kvc")
try Container.write(compressed.archive(), metadata: cache.metadata, to: file)
let restored = try CompressedCache(archive: Container(file).archive)
let again = try restored.attend(queries, layer: 0)
precondition(again == outputs)
try FileManager.default.removeItem(at: file)
