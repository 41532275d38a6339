import CKVCompress
import Foundation
import KVCompress

/// How a session works, as C said it.
struct Options {
    private(set) var session = SessionOptions()
    private(set) var attention = AttentionOptions()
    private(set) var tokensFirst = false

    init(_ pointer: UnsafePointer<kvc_options>?) throws {
        guard let pointer else { return }
        let given = try Self.read(pointer)
        switch given.layout {
        case kvc_layout_heads_first: tokensFirst = false
        case kvc_layout_tokens_first: tokensFirst = true
        default:
            throw ArgumentError(
                "options.layout is \(given.layout.rawValue); "
                    + "expected kvc_layout_heads_first or kvc_layout_tokens_first")
        }
        let threads = try checked(given.threads, "options.threads", in: 0...1024)
        if threads > 1 { session.workers = Workers(threads: threads) }
        let interval = try checked(given.interval, "options.interval", in: 0...Self.most)
        if interval > 0 { session.interval = interval }
        let observe = try checked(given.observe, "options.observe", in: 0...Self.most)
        if observe > 0 { session.observe = observe }
        session.slidingWindows = try Self.windows(given)
        session.metadata = try Self.metadata(given)
        if given.directory != nil {
            session.directory = URL(
                fileURLWithPath: try text(given.directory, "options.directory"))
        }
        guard given.scale.isFinite else {
            throw ArgumentError("options.scale is \(given.scale); expected a finite number")
        }
        guard given.softcap.isFinite, given.softcap >= 0 else {
            throw ArgumentError("options.softcap is \(given.softcap); expected 0 or more")
        }
        attention.scale = given.scale == 0 ? nil : given.scale
        attention.softcap = given.softcap
        attention.workers = session.workers
    }

    /// Tokens have positions of 32 bits.
    static let most = Int(Int32.max)

    /// The fields that this release knows; those of a later one must be zero.
    private static func read(_ pointer: UnsafePointer<kvc_options>) throws -> kvc_options {
        let known = MemoryLayout<kvc_options>.size, size = pointer.pointee.size
        guard (known...4096).contains(size) else {
            throw ArgumentError(
                "options.size is \(UInt(bitPattern: size)); expected sizeof(kvc_options), \(known)")
        }
        let rest = UnsafeRawBufferPointer(start: pointer, count: size)[known...]
        guard rest.allSatisfy({ $0 == 0 }) else {
            throw ArgumentError("options of a later release than this, \(release)")
        }
        return pointer.pointee
    }

    private static func windows(_ given: kvc_options) throws -> [Int?] {
        let count = try checked(
            given.sliding_window_count, "options.sliding_window_count", in: 0...mostHeads)
        guard count > 0 else { return [] }
        let windows = try present(given.sliding_windows, "options.sliding_windows")
        return try (0..<count).map { layer in
            let window = try checked(
                windows[layer], "options.sliding_windows[\(layer)]", in: 0...most)
            return window == 0 ? nil : window
        }
    }

    private static func metadata(_ given: kvc_options) throws -> [String: String] {
        let count = try checked(given.metadata_count, "options.metadata_count", in: 0...4096)
        guard count > 0 else { return [:] }
        let pairs = try present(given.metadata, "options.metadata")
        var metadata: [String: String] = [:]
        for index in 0..<count {
            let name = try text(pairs[index].name, "options.metadata[\(index)].name")
            metadata[name] = try text(pairs[index].value, "options.metadata[\(index)].value")
        }
        return metadata
    }
}
