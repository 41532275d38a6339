public import Foundation

// The call is named here because a method named `write` hides it below.
#if canImport(Darwin)
    import Darwin
    private let systemWrite = Darwin.write
#elseif canImport(Musl)
    import Musl
    private let systemWrite = Musl.write
#else
    import Glibc
    private let systemWrite = Glibc.write
#endif

/// Writes a file whole or not at all.
public enum AtomicFile {
    /// The file being written: bytes go to its end.
    public struct Writer: ~Copyable {
        /// Short writes gather here until they are worth a system call.
        private static let gatherLimit = 1 << 16
        /// Darwin refuses more than 2 GiB at once.
        private static let callLimit = 1 << 30

        fileprivate let url: URL
        fileprivate let descriptor: Int32
        private var gathered: [UInt8] = []
        /// Bytes written so far.
        public private(set) var position = 0

        fileprivate init(_ url: URL, _ descriptor: Int32) {
            self.url = url
            self.descriptor = descriptor
        }

        /// Appends bytes.
        ///
        /// - Throws: `FileError` when the operating system takes no more of them.
        public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
            position += bytes.count
            if gathered.count + bytes.count > Self.gatherLimit { try flush() }
            if bytes.count > Self.gatherLimit {
                try pass(bytes)
            } else {
                gathered.append(contentsOf: bytes)
            }
        }

        /// Appends the bytes of an array, in the machine's (little-endian) order.
        ///
        /// - Throws: `FileError` when the operating system takes no more of them.
        public mutating func write<Element: BitwiseCopyable>(_ elements: [Element])
            throws(FileError)
        {
            // `withUnsafeBytes` passes typed errors on only as `any Error`.
            let result = elements.withUnsafeBytes { bytes in
                Result { () throws(FileError) in try write(bytes) }
            }
            try result.get()
        }

        fileprivate mutating func flush() throws(FileError) {
            let bytes = gathered
            gathered.removeAll(keepingCapacity: true)
            let result = bytes.withUnsafeBytes { bytes in
                Result { () throws(FileError) in try pass(bytes) }
            }
            try result.get()
        }

        /// Hands bytes to the operating system.
        private func pass(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let chunk = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.callLimit))
                let count = systemWrite(descriptor, chunk.baseAddress, chunk.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw .system(url, "cannot be written") }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Creates or replaces the file at `url` with what `body` writes.
    ///
    /// The bytes go to a temporary file in the same folder, which is synced, renamed over `url`, and
    /// its folder synced. When anything fails before the renaming, the temporary file is removed and
    /// whatever stood at `url` is as it was.
    ///
    /// - Throws: `FileError` from the operating system or from `body`, or when something stands at
    ///   `url` that is no regular file.
    public static func write(
        to url: URL, _ body: (inout Writer) throws(FileError) -> Void
    ) throws(FileError) {
        // Through a link, so that the link stays and its target changes.
        let target = url.resolvingSymlinksInPath()
        var old = stat()
        let exists = stat(target.path, &old) == 0
        guard !exists || old.isRegularFile else {
            throw FileError(.system, url, "is not a regular file, so it cannot be replaced")
        }
        let folder = target.deletingLastPathComponent()
        let name = ".kvfiles-\(String(UInt64.random(in: .min ... .max), radix: 16)).tmp"
        let temporary = folder.appendingPathComponent(name)

        let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .system(url, "cannot be written") }
        do throws(FileError) {
            defer { close(descriptor) }
            var writer = Writer(url, descriptor)
            try body(&writer)
            try writer.flush()
            guard !exists || fchmod(descriptor, old.st_mode & 0o777) == 0 else {
                throw .system(url, "cannot be given its old permissions")
            }
            guard sync(descriptor) else { throw .system(url, "cannot be synced") }
            guard rename(temporary.path, target.path) == 0 else {
                throw .system(url, "cannot be replaced")
            }
        } catch {
            unlink(temporary.path)
            throw error
        }
        try syncFolder(folder, of: url)
    }

    /// Makes the renaming last; some file systems cannot sync a folder and need not.
    private static func syncFolder(_ folder: URL, of url: URL) throws(FileError) {
        let descriptor = open(folder.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP else {
            throw .system(url, "was written, but its folder cannot be synced")
        }
    }

    private static func sync(_ descriptor: Int32) -> Bool {
        #if canImport(Darwin)
            // There, fsync stops at the drive's cache.
            if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
        #endif
        return fsync(descriptor) == 0
    }
}
