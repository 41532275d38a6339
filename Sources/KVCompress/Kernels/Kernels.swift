internal import CKVKernels
import Foundation

/// An instruction-set level of the kernels.
public enum InstructionSet: String, CaseIterable, Sendable, Codable {
    case scalar, avx2, avx512, neon

    /// The levels that this machine can run, weakest first.
    public static let supported: [InstructionSet] = {
        let levels = kv_isa_detect()
        return allCases.filter { levels & (1 << $0.level.rawValue) != 0 }
    }()

    /// The strongest level, or the one named by the environment variable `KVCOMPRESS_ISA`, read once.
    public static let best: InstructionSet = {
        let wanted = ProcessInfo.processInfo.environment["KVCOMPRESS_ISA"].flatMap(
            InstructionSet.init)
        return wanted.flatMap { supported.contains($0) ? $0 : nil }
            ?? supported[supported.count - 1]
    }()

    var level: kv_isa {
        switch self {
        case .scalar: .scalar
        case .avx2: .avx2
        case .avx512: .avx512
        case .neon: .neon
        }
    }

    init(_ level: kv_isa) {
        switch level {
        case .scalar: self = .scalar
        case .avx2: self = .avx2
        case .avx512: self = .avx512
        case .neon: self = .neon
        }
    }

    /// Every kernel by name, with the level of the code that this level really runs for it.
    public var kernels: [(name: String, level: InstructionSet)] {
        (0..<kv_kernel_count()).map {
            (String(cString: kv_kernel_name($0)), InstructionSet(kv_kernel_level(level, $0)))
        }
    }
}

/// The kernels at one level: the only door to C. Results are the same at every level.
struct Kernels: Sendable {
    let isa: kv_isa

    init(_ set: InstructionSet) {
        precondition(InstructionSet.supported.contains(set), "this machine cannot run \(set)")
        isa = set.level
    }

    static let best = Kernels(.best)
}
