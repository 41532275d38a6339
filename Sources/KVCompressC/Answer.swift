import CKVCompress
import KVCompress
import KVFiles

/// An argument that cannot be: one line that names it and says what is valid.
struct ArgumentError: Error {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Does what a call asks for, and turns errors into a status and a message.
func answer(
    _ error: UnsafeMutablePointer<kvc_error>?, _ body: () throws -> Void
) -> kvc_status {
    do {
        try body()
        error?.say("")
        return kvc_ok
    } catch let failure as ArgumentError {
        error?.say(failure.description)
        return kvc_error_argument
    } catch let failure as CompressionError {
        error?.say(failure.description)
        return kvc_status(failure.code)
    } catch let failure as FileError {
        error?.say(failure.description)
        return kvc_status(failure.code)
    } catch {
        preconditionFailure("an error of no known kind: \(error)")
    }
}

extension kvc_status {
    fileprivate init(_ code: CompressionError.Code) {
        self =
            switch code {
            case .plan: kvc_error_plan
            case .cache: kvc_error_cache
            case .queries: kvc_error_queries
            case .values: kvc_error_values
            case .archive: kvc_error_archive
            case .layer: kvc_error_layer
            case .place: kvc_error_place
            default: kvc_error_session
            }
    }

    fileprivate init(_ code: FileError.Code) {
        self =
            switch code {
            case .system: kvc_error_system
            case .unsupported: kvc_error_unsupported
            case .damaged: kvc_error_damaged
            default: kvc_error_format
            }
    }
}

extension UnsafeMutablePointer<kvc_error> {
    /// Writes a message on one line and the zero behind it, cut between characters where it is too long.
    fileprivate func say(_ text: String) {
        withUnsafeMutableBytes(of: &pointee) { room in
            var length = 0
            for scalar in text.unicodeScalars {
                // Names of files may hold anything.
                let isControl = scalar.properties.generalCategory == .control
                let bytes = String(isControl ? " " : Character(scalar)).utf8
                guard length + bytes.count < room.count else { break }
                UnsafeMutableRawBufferPointer(rebasing: room[length...]).copyBytes(from: bytes)
                length += bytes.count
            }
            room[length] = 0
        }
    }
}
