import ArgumentParser
import Foundation
import KVCompress
import KVFiles

/// What every command that works on files takes.
struct WorkOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Threads to use; results do not depend on their number.", valueName: "n")
    )
    var threads: Int?

    @Flag(name: .shortAndLong, help: "Print errors only.")
    var quiet = false

    func validate() throws {
        guard threads.map({ (1...1024).contains($0) }) ?? true else {
            throw ValidationError("--threads takes 1...1024.")
        }
    }

    /// The threads asked for, else those of the machine.
    var workers: Workers {
        Workers(threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
    }

    /// Prints unless asked to be quiet.
    func say(_ text: String) {
        if !quiet { print(text.printable) }
    }
}

/// JSON for programs: keys in alphabetical order, so that two runs can be compared line by line.
func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf",
        negativeInfinity: "-inf",
        nan: "nan"
    )
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Refuses outputs that would take the place of an input, or of one another.
func keepApart(inputs: [String], outputs: [String?]) throws {
    func file(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }
    var taken = Set(inputs.map(file))
    for output in outputs.compactMap({ $0 }) where !taken.insert(file(output)).inserted {
        throw Failure(
            description:
                "\(output): is another file of this command, too; expected a name of its own",
            status: .validationFailure
        )
    }
}

/// Writes a text file whole or not at all.
func write(_ text: String, to path: String) throws {
    try AtomicFile.write(to: URL(fileURLWithPath: path)) { file throws(FileError) in
        try file.write(Array(text.utf8))
    }
}

extension String {
    /// The text with U+FFFD for what a terminal would obey and XML refuses, line feeds apart.
    ///
    /// Names and metadata come from files that anybody may have written.
    var printable: String {
        let scalars = unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control where scalar != "\n", .format, .unassigned: "\u{FFFD}"
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
