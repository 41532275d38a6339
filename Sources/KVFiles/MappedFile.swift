public import Foundation
public import KVCompress

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A regular file mapped into memory for reading; the mapping lives as long as this object.
///
/// Pages are read from disk when they are touched. Who shortens a file that others have mapped kills
/// them, as everywhere on POSIX; files replaced by renaming, as `AtomicFile` does, stay whole.
public final class MappedFile: Sendable {
    /// Where the file was found.
    public let url: URL
    private nonisolated(unsafe) let mapping: UnsafeRawBufferPointer
    private let isMapped: Bool

    /// Takes bytes of the program itself for those of a file.
    ///
    /// - Parameters:
    ///   - bytes: aligned to 64; they stay where they are as long as the program runs.
    ///   - name: what errors call the file.
    public init(embedded bytes: UnsafeRawBufferPointer, name: String) {
        url = URL(fileURLWithPath: name)
        mapping = bytes
        isMapped = false
    }

    /// Maps a file; reads none of its bytes.
    ///
    /// - Throws: `FileError` when the file cannot be opened or is no regular file.
    public init(_ url: URL) throws(FileError) {
        self.url = url
        isMapped = true
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(url, "cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(url, "cannot be examined") }
        guard status.isRegularFile else { throw FileError(.system, url, "is not a regular file") }
        let byteCount = Int(status.st_size)
        guard byteCount > 0 else {
            mapping = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0),
            base != MAP_FAILED
        else { throw .system(url, "cannot be mapped") }
        mapping = UnsafeRawBufferPointer(start: base, count: byteCount)
    }

    deinit {
        if isMapped, let base = mapping.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: base), mapping.count)
        }
    }

    /// The bytes, valid while this object lives.
    public var bytes: UnsafeRawBufferPointer { mapping }

    /// The length in bytes.
    public var byteCount: Int { mapping.count }

    /// A range of the bytes that keeps the mapping alive.
    public func storage(_ range: Range<Int>) -> Storage {
        Storage(
            unsafeBytes: UnsafeRawBufferPointer(rebasing: mapping[range]), keptBy: self,
            isMapped: true)
    }
}

extension stat {
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
}

extension FileError {
    /// An error that ends with the operating system's reason, from `errno`.
    static func system(_ file: URL, _ what: String) -> FileError {
        let reason = errno
        return FileError(.system, file, "\(what): \(String(cString: strerror(reason)))")
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian integer at any alignment; traps outside the buffer.
    func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, _: Number.Type = Number.self
    )
        -> Number
    {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
