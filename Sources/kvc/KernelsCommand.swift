import ArgumentParser
import KVCompress

struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Show the instruction-set levels of this machine and the code that runs at each.",
        discussion: """
            Results are the same bits at every level. The environment variable KVCOMPRESS_ISA chooses a \
            level by its name, 'scalar' for example.
            """
    )

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private struct Listing: Encodable {
        struct Kernel: Encodable {
            let name: String
            let variant: InstructionSet
        }

        let supported = InstructionSet.supported
        let chosen = InstructionSet.best
        let kernels = InstructionSet.best.kernels.map { Kernel(name: $0.name, variant: $0.level) }
    }

    func run() throws {
        guard !json else { return print(try jsonText(Listing())) }
        print("levels: \(InstructionSet.supported.map(\.rawValue).joined(separator: ", "))")
        print("chosen: \(InstructionSet.best.rawValue)\n")
        var table = Table(leading: 1 + InstructionSet.supported.count)
        table.add(["kernel"] + InstructionSet.supported.map { "at \($0.rawValue)" })
        for (index, kernel) in InstructionSet.best.kernels.enumerated() {
            table.add(
                [kernel.name] + InstructionSet.supported.map { $0.kernels[index].level.rawValue }
            )
        }
        print(table.text)
    }
}
