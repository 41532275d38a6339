import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Where the library's memory comes from: it counts what is held and remembers the peak.
///
/// Mapped files are not counted. One allocator may serve several caches and threads.
public final class Allocator: Sendable {
    private let held = Atomic<Int>(0)
    private let highest = Atomic<Int>(0)
    private let asked = Atomic<Int>(0)

    private let spare: SpareMemory

    fileprivate static let hugePage = 2 << 20

    /// Creates an allocator that holds nothing.
    ///
    /// - Parameter keeping: bytes of memory that is given back to it and kept for what is asked for next; the
    ///   rest goes back to the system. Fresh memory costs a system more than writing it, so who compresses one
    ///   cache after the other keeps about what one of them takes. It is not among `heldBytes`.
    public init(keeping: Int = 0) { spare = SpareMemory(most: keeping) }

    /// Bytes held now by storage that came from here.
    public var heldBytes: Int { held.load(ordering: .relaxed) }

    /// The most that `heldBytes` has ever been, or been since `resetPeak()`.
    public var peakBytes: Int { highest.load(ordering: .relaxed) }

    /// How often memory was asked for.
    package var allocations: Int { asked.load(ordering: .relaxed) }

    /// Starts a new measurement of the peak from what is held now.
    public func resetPeak() { highest.store(heldBytes, ordering: .relaxed) }

    /// Zeroed memory of `byteCount` bytes, aligned to 64.
    public func allocate(_ byteCount: Int) -> Storage {
        let storage = allocateUninitialized(byteCount)
        storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        return storage
    }

    /// The same, for whoever writes it all before reading it.
    func allocateUninitialized(_ byteCount: Int) -> Storage {
        let now = held.add(byteCount, ordering: .relaxed).newValue
        highest.max(now, ordering: .relaxed)
        asked.add(1, ordering: .relaxed)
        let base = spare.take(byteCount) ?? Self.fresh(byteCount)
        return Storage(base: base, byteCount: byteCount, owner: .allocator(self))
    }

    private static func fresh(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let isLarge = byteCount >= hugePage
        let base = UnsafeMutableRawPointer.allocate(
            byteCount: max(byteCount, 1), alignment: isLarge ? hugePage : 64)
        #if canImport(Glibc)
            // Attention reads front to back: with 4 KiB pages a tenth of its time goes to finding them.
            if isLarge { madvise(base, byteCount / hugePage * hugePage, MADV_HUGEPAGE) }
        #endif
        return base
    }

    /// Zeroed scratch for `count` values.
    func buffer<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> Buffer<Element> {
        Buffer(storage: allocate(count * MemoryLayout<Element>.stride), count: count)
    }

    /// Scratch for `count` values, all of which are written before they are read.
    func scratch<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> Buffer<Element> {
        Buffer(storage: allocateUninitialized(count * MemoryLayout<Element>.stride), count: count)
    }

    fileprivate func release(_ base: UnsafeMutableRawPointer, _ byteCount: Int) {
        held.subtract(byteCount, ordering: .relaxed)
        if !spare.put(base, byteCount) { base.deallocate() }
    }
}

/// Memory that nobody uses for now, by its size; what is small is the system's to keep.
private final class SpareMemory: @unchecked Sendable {
    private static let smallest = 64 << 10

    private let most: Int
    // The lock guards the rest.
    private let lock = NSLock()
    private var byteCount = 0
    private var blocks: [Int: [UnsafeMutableRawPointer]] = [:]

    init(most: Int) { self.most = most }

    deinit { for base in blocks.values.joined() { base.deallocate() } }

    func take(_ size: Int) -> UnsafeMutableRawPointer? {
        guard most > 0, size >= Self.smallest else { return nil }
        return lock.withLock {
            guard let base = blocks[size]?.popLast() else { return nil }
            byteCount -= size
            return base
        }
    }

    /// Whether there is room for it.
    func put(_ base: UnsafeMutableRawPointer, _ size: Int) -> Bool {
        guard most > 0, size >= Self.smallest else { return false }
        return lock.withLock {
            guard size <= most else { return false }
            if byteCount + size > most {
                // What was asked for before is not what is asked for now.
                for base in blocks.values.joined() { base.deallocate() }
                (blocks, byteCount) = ([:], 0)
            }
            byteCount += size
            blocks[size, default: []].append(base)
            return true
        }
    }
}

/// A run of bytes and what keeps it alive: an allocator's memory or somebody else's, a mapped file.
///
/// Written once by whoever makes it, then only read, which is what makes it safe to share.
public final class Storage: @unchecked Sendable {
    fileprivate enum Owner {
        case allocator(Allocator)
        case other(AnyObject)
    }

    let base: UnsafeMutableRawPointer
    /// The length in bytes.
    public let byteCount: Int
    /// Whether the bytes are a file's, in memory only as far as they were read.
    let isMapped: Bool
    private let owner: Owner

    fileprivate init(base: UnsafeMutableRawPointer, byteCount: Int, owner: Owner) {
        self.base = base
        self.byteCount = byteCount
        self.owner = owner
        isMapped = false
    }

    /// Wraps bytes that `owner` keeps alive and nobody changes.
    ///
    /// - Parameters:
    ///   - unsafeBytes: the bytes.
    ///   - owner: kept as long as they are in use.
    ///   - isMapped: whether they are those of a mapped file.
    public init(
        unsafeBytes: UnsafeRawBufferPointer, keptBy owner: AnyObject, isMapped: Bool = false
    ) {
        // An empty buffer has no address; any non-null one serves, as nothing is read.
        base =
            UnsafeMutableRawPointer(mutating: unsafeBytes.baseAddress)
            ?? UnsafeMutableRawPointer(bitPattern: 64)!
        byteCount = unsafeBytes.count
        self.isMapped = isMapped
        self.owner = .other(owner)
    }

    /// A copy of an array's bytes.
    public convenience init<Element: BitwiseCopyable>(
        copying elements: [Element], allocator: Allocator = Allocator()
    ) {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        let fresh = allocator.allocateUninitialized(byteCount)
        elements.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            fresh.base.copyMemory(from: start, byteCount: byteCount)
        }
        self.init(unsafeBytes: fresh.bytes, keptBy: fresh)
    }

    /// Fresh memory, aligned to 64, that `fill` writes once.
    public convenience init(
        byteCount: Int, allocator: Allocator = Allocator(),
        filledBy fill: (UnsafeMutableRawBufferPointer) -> Void
    ) {
        let fresh = allocator.allocate(byteCount)
        fill(UnsafeMutableRawBufferPointer(start: fresh.base, count: byteCount))
        self.init(unsafeBytes: fresh.bytes, keptBy: fresh)
    }

    deinit {
        if case .allocator(let allocator) = owner {
            allocator.release(base, byteCount)
        }
    }

    /// The bytes, valid while this object lives.
    public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base, count: byteCount)
    }
}

/// Typed scratch or a stored vector: `count` values at the start of a storage.
final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    let storage: Storage
    let count: Int

    init(storage: Storage, count: Int) {
        precondition(count * MemoryLayout<Element>.stride <= storage.byteCount)
        self.storage = storage
        self.count = count
    }

    /// Valid while this object lives: keep it alive with `withExtendedLifetime` around the use.
    var pointer: UnsafeMutablePointer<Element> {
        storage.base.assumingMemoryBound(to: Element.self)
    }

    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return pointer[index]
        }
        set {
            precondition(index >= 0 && index < count)
            pointer[index] = newValue
        }
    }
}
