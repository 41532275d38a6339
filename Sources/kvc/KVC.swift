import ArgumentParser
import Foundation
import KVCompress
import KVFiles

@main
struct KVC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kvc",
        abstract:
            "Compress the key-value caches of language models, and attend on them as they are.",
        discussion: """
            A plan says what is done, stage after stage:

              h2o(budget=25%) | kvcrush(share=25%) | q4(rotate=hadamard)

            keeps a quarter of the tokens and writes them with 4 bits per number. 'kvc methods' lists what \
            a plan may name. Start with 'kvc compare' on a dump of your own model's cache, which \
            Tools/dump_kv.py makes.

            Exit status: 0, 1 (the data is bad or a file cannot be read or written), 64 (the command or \
            the plan is mistyped).
            """,
        version: "0.1.0",
        subcommands: [
            Compare.self, Ask.self, Evaluate.self, Tune.self, SurveyCommand.self, Compress.self,
            Inspect.self,
            Attend.self, ExportCommand.self, Score.self, Generate.self, Bench.self, Methods.self,
            KernelsCommand.self,
        ]
    )

    static func main() {
        do {
            var command = try parseAsRoot()
            try checkInstructionSet()
            try command.run()
            guard fflush(nil) == 0 else {
                throw Failure(
                    description: "standard output: \(String(cString: strerror(errno)))",
                    status: .failure
                )
            }
        } catch let error as Failure {
            fail(error.description, status: error.status)
        } catch let error as FileError {
            fail(error.description, status: .failure)
        } catch let error as CompressionError {
            fail(error.description, status: .failure)
        } catch {
            exit(withError: error)
        }
    }

    /// The library ignores a level that it cannot run; somebody at a terminal should know.
    private static func checkInstructionSet() throws {
        guard let wanted = ProcessInfo.processInfo.environment["KVCOMPRESS_ISA"],
            InstructionSet(rawValue: wanted).map(InstructionSet.supported.contains) != true
        else { return }
        throw Failure(
            description: "KVCOMPRESS_ISA=\(wanted) is no level of this machine; it has "
                + InstructionSet.supported.map(\.rawValue).joined(separator: ", "),
            status: .validationFailure
        )
    }

    /// Says on one line what was wrong and ends.
    private static func fail(_ description: String, status: ExitCode) -> Never {
        let line = description.split(whereSeparator: \.isNewline).joined(separator: " ")
        FileHandle.standardError.write(Data("kvc: \(line.printable)\n".utf8))
        exit(withError: status)
    }
}
