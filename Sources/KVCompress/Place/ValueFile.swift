import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

#if canImport(Darwin)
    /// What `mincore` says of a page.
    private typealias PageState = CChar
#else
    /// What `mincore` says of a page.
    private typealias PageState = UInt8
#endif

/// A private file without a name: nothing of it is left when the last who uses it is gone, however that
/// came to be.
struct ValueFile: ~Copyable {
    private let descriptor: Int32
    private let byteCount: Int
    private let directory: String

    /// Makes a file in a directory, reserves its space and takes its name away.
    ///
    /// - Throws: `CompressionError` of code `.place` when the directory takes no files, or not so many bytes.
    init(byteCount: Int, in directory: URL) throws(CompressionError) {
        self.byteCount = byteCount
        self.directory = directory.path
        var name = Array((directory.path + "/.kvcompress-XXXXXX").utf8CString)
        descriptor = mkstemp(&name)
        guard descriptor >= 0 else {
            throw Self.failure(directory.path, "cannot make a file for values", errno)
        }
        unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let refused = Self.reserve(byteCount, descriptor)
        guard refused == 0 else {
            throw Self.failure(directory.path, "no room for \(byteCount) bytes of values", refused)
        }
    }

    deinit { close(descriptor) }

    /// Reserves space, so that writing cannot find the disk full; 0, or the reason why not.
    private static func reserve(_ byteCount: Int, _ descriptor: Int32) -> Int32 {
        #if canImport(Darwin)
            var store = fstore_t(
                fst_flags: UInt32(F_ALLOCATEALL), fst_posmode: F_PEOFPOSMODE, fst_offset: 0,
                fst_length: off_t(byteCount), fst_bytesalloc: 0)
            guard fcntl(descriptor, F_PREALLOCATE, &store) == 0,
                ftruncate(descriptor, off_t(byteCount)) == 0
            else { return errno }
            return 0
        #else
            while true {
                let refused = posix_fallocate(descriptor, 0, off_t(byteCount))
                if refused != EINTR { return refused }
            }
        #endif
    }

    /// Writes bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CompressionError) {
        precondition(offset >= 0 && offset + bytes.count <= byteCount)
        var written = 0
        while written < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress! + written, bytes.count - written,
                off_t(offset + written))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw Self.failure(directory, "cannot write a file of values", errno)
            }
            written += count
        }
    }

    /// The bytes, mapped to be read here and there.
    func mapped() throws(CompressionError) -> Storage {
        guard let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0),
            base != MAP_FAILED
        else { throw Self.failure(directory, "cannot map a file of values", errno) }
        // Without it, every page that is read would bring its neighbours into memory.
        posix_madvise(base, byteCount, POSIX_MADV_RANDOM)
        let mapping = Mapping(bytes: UnsafeRawBufferPointer(start: base, count: byteCount))
        return Storage(unsafeBytes: mapping.bytes, keptBy: mapping, isMapped: true)
    }

    private static func failure(_ directory: String, _ what: String, _ reason: Int32)
        -> CompressionError
    {
        CompressionError(.place, "\(directory): \(what): \(String(cString: strerror(reason)))")
    }
}

/// Keeps a mapping as long as this object lives.
private final class Mapping: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }
}

extension Storage {
    /// Tells the system which ranges of a mapped file, ascending, will be read soon, as far as they are not in
    /// memory.
    func willNeed(_ ranges: [Range<Int>]) {
        guard isMapped, let first = ranges.first, let last = ranges.last else { return }
        let page = Self.pageBytes
        let start = Int(bitPattern: base + first.lowerBound) / page * page
        let end = Int(bitPattern: base + last.upperBound)
        var present = [PageState](repeating: 0, count: (end - start + page - 1) / page)
        let isKnown =
            mincore(UnsafeMutableRawPointer(bitPattern: start)!, end - start, &present) == 0
        for range in ranges {
            let low = (Int(bitPattern: base + range.lowerBound) - start) / page
            let high = (Int(bitPattern: base + range.upperBound) - start + page - 1) / page
            if isKnown, present[low..<high].allSatisfy({ $0 & 1 == 1 }) { continue }
            posix_madvise(
                UnsafeMutableRawPointer(bitPattern: start + low * page)!, (high - low) * page,
                POSIX_MADV_WILLNEED)
        }
    }

    /// Writes a mapped file out and asks the system to forget its pages: what a system does that needs memory.
    ///
    /// - Parameter inOrder: whether the pages will be read one behind the other, not here and there.
    /// - Returns: the share of the pages that stay in memory all the same; nil where it cannot be known.
    func forget(inOrder: Bool) -> Double? {
        #if os(Linux)
            guard isMapped, msync(base, byteCount, MS_SYNC) == 0 else { return nil }
            // MADV_PAGEOUT of Linux 5.4, which the C library may not name.
            _ = madvise(base, byteCount, 21)
            posix_madvise(
                base, byteCount, inOrder ? POSIX_MADV_SEQUENTIAL : POSIX_MADV_RANDOM)
            var pages = [UInt8](
                repeating: 0, count: (byteCount + Self.pageBytes - 1) / Self.pageBytes)
            guard mincore(base, byteCount, &pages) == 0 else { return nil }
            return Double(pages.count { $0 & 1 == 1 }) / Double(pages.count)
        #else
            return nil
        #endif
    }

    /// Bytes of a page of memory.
    static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
}
