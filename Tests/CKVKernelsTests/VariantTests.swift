import CKVChecks
public import CKVKernels
public import Testing

/// Every kernel at every level of this machine gives the bits of its scalar variant.
@Suite struct VariantTests {
    static let names = (0..<kvc_check_count()).map { String(cString: kvc_check_name($0)) }

    @Test(arguments: Run.levels.filter { $0 != .scalar }, names)
    func equalsScalar(level: kv_isa, kernel: String) throws {
        let index = try #require(Self.names.firstIndex(of: kernel))
        var message = [CChar](repeating: 0, count: 1024)
        let result = kvc_check_run(index, level, Run.seed, Run.cases, &message, message.count)
        let text = message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        #expect(result == 0, "\(String(decoding: text, as: UTF8.self))")
    }

    @Test func everyKernelHasACheck() {
        let kernels = (0..<kv_kernel_count()).map { String(cString: kv_kernel_name($0)) }
        #expect(Set(kernels) == Set(Self.names))
        #expect(Set(Self.names).count == Self.names.count)
    }

    @Test func requiredLevelsAreHere() {
        for name in Run.required {
            #expect(Run.levels.contains { $0.name == name }, "this machine has no \(name)")
        }
    }

    /// A level never runs code of a level that a lesser machine lacks.
    @Test func levelsFallBackWithinTheirFamily() {
        for index in 0..<kv_kernel_count() {
            #expect(kv_kernel_level(.scalar, index) == .scalar)
            #expect([.scalar, .avx2].contains(kv_kernel_level(.avx2, index)))
            #expect([.scalar, .avx2, .avx512].contains(kv_kernel_level(.avx512, index)))
            #expect([.scalar, .neon].contains(kv_kernel_level(.neon, index)))
        }
    }
}

extension kv_isa: @retroactive CustomTestStringConvertible {
    /// The level's name.
    public var testDescription: String { name }
}
