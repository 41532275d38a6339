public import Foundation

/// A file that cannot be read or written, or that is not what it should be.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is, for programs.
    public struct Code: Hashable, Sendable {
        private enum Kind { case system, format, unsupported, damaged, shape }
        private let kind: Kind

        /// The operating system refused: no such file, no permission, a full disk.
        public static let system = Code(kind: .system)
        /// The bytes do not follow the layout of the format.
        public static let format = Code(kind: .format)
        /// A version, flag or number format that this release does not know.
        public static let unsupported = Code(kind: .unsupported)
        /// The file was whole once: it has been cut, or bytes of it have changed.
        public static let damaged = Code(kind: .damaged)
        /// A tensor is missing or does not fit the others.
        public static let shape = Code(kind: .shape)
    }

    /// What kind of trouble it is.
    public let code: Code
    /// The file, what was wrong in it and where, and what is valid: one line for people.
    public let description: String

    /// Creates an error of a kind about a file.
    public init(_ code: Code, _ file: URL, _ what: String) {
        self.code = code
        description = "\(file.relativePath): \(what)"
    }
}

/// A name from a file as it may stand in a message: on one line, and not endless.
func quoted(_ name: String) -> String {
    let limit = 80
    let clipped = String(String.UnicodeScalarView(name.unicodeScalars.prefix(limit)))
    return clipped.debugDescription + (name.unicodeScalars.count > limit ? "..." : "")
}
