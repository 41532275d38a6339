import ArgumentParser
import KVCompress

/// What ends a command: one line for people, and the exit status.
struct Failure: Error {
    let description: String
    let status: ExitCode
}

extension Plan {
    /// The plan that was typed; a mistake in it is one of usage, as an option that does not exist is.
    init(typed text: String) throws {
        do {
            try self.init(text)
        } catch {
            throw Failure(
                description: "in the plan '\(text.shortened)': \(error.description.shortened)",
                status: .validationFailure
            )
        }
    }
}

extension String {
    /// At most 400 characters of a text that somebody may have pasted by mistake.
    fileprivate var shortened: String { count <= 400 ? self : prefix(400) + "..." }
}

/// Does something with what was read from `path`, so that errors about the data name the file.
func naming<Result>(_ path: String, _ body: () throws(CompressionError) -> Result) throws -> Result
{
    do {
        return try body()
    } catch {
        throw Failure(description: "\(path): \(error.description)", status: .failure)
    }
}
