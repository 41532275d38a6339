import CKVChecks
import CKVKernels
import Foundation

/// What this run is about: the levels that are checked, and the randomness behind it.
enum Run {
    /// The levels of this machine, scalar first.
    static let levels: [kv_isa] = {
        let mask = kv_isa_detect()
        let levels = [kv_isa.scalar, .avx2, .avx512, .neon].filter { mask >> $0.rawValue & 1 == 1 }
        print("levels: \(levels.map(\.name).joined(separator: " ")), seed \(seed)")
        return levels
    }()

    /// `KVCOMPRESS_SEED=1234` plays a run again, `KVCOMPRESS_SEED=random` explores.
    static let seed: UInt64 = {
        let text = ProcessInfo.processInfo.environment["KVCOMPRESS_SEED"] ?? "1"
        return text == "random" ? .random(in: 0...(.max >> 1)) : UInt64(text) ?? 1
    }()

    /// Random cases per kernel and level; `KVCOMPRESS_CASES` changes it.
    static let cases =
        ProcessInfo.processInfo.environment["KVCOMPRESS_CASES"].flatMap(UInt32.init) ?? 400

    /// The levels that `KV_REQUIRE_ISA=avx512,...` says this machine must have.
    static let required: [String] =
        (ProcessInfo.processInfo.environment["KV_REQUIRE_ISA"] ?? "")
        .split(separator: ",").map(String.init)
}

extension kv_isa {
    var name: String { String(cString: kvc_level_name(self)) }
}
