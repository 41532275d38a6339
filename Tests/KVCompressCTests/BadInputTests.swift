import CKVCompress
import Foundation
import KVCompress
import KVCompressC
import Testing

/// Whatever C gives: a status and a message, never a crash.
struct BadInputTests {
    typealias Options = (inout kvc_options) -> Void
    /// What a negative size of C is, and what `SIZE_MAX` is.
    static let endless = -1

    static let shape = kvc_geometry(kv_heads: 2, key_dim: 32, value_dim: 16)

    @Test func plansAndShapes() {
        func create(
            _ status: kvc_status, _ words: String, plan: String? = "q8",
            _ shape: [kvc_geometry]? = [BadInputTests.shape], count: Int? = nil,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            var made: OpaquePointer? = OpaquePointer(bitPattern: 64)
            refused(status, words, sourceLocation: sourceLocation) {
                kvc_session_create(plan, shape, count ?? shape?.count ?? 0, nil, &made, $0)
            }
            #expect(made == nil, sourceLocation: sourceLocation)
        }
        func layer(_ heads: Int, _ key: Int, _ value: Int) -> [kvc_geometry] {
            [Self.shape, kvc_geometry(kv_heads: heads, key_dim: key, value_dim: value)]
        }
        create(kvc_error_argument, "plan is NULL", plan: nil)
        create(kvc_error_plan, "snapkv", plan: "snapkw")
        create(kvc_error_plan, "cannot follow", plan: "q4 | h2o(budget=1%)")
        create(kvc_error_argument, "layers is NULL", nil, count: 1)
        create(kvc_error_argument, "layer_count is 0", [])
        create(kvc_error_argument, "layer_count is 18446744073709551615", count: Self.endless)
        create(kvc_error_argument, "layers[1].kv_heads is 0", layer(0, 8, 8))
        create(kvc_error_argument, "layers[1].kv_heads", layer(1 << 40, 8, 8))
        create(kvc_error_argument, "kv heads in all layers", layer(1 << 20, 8, 8))
        create(kvc_error_cache, "layer 1", layer(1, 0, 8))
        create(kvc_error_cache, "layer 1", layer(1, 8, Self.endless))
        create(kvc_error_cache, "1...1024", layer(1, 1025, 8))
        refused(kvc_error_argument, "session is NULL") {
            kvc_session_create("q8", [Self.shape], 1, nil, nil, $0)
        }
        refused(kvc_error_argument, "UTF-8") { error in
            var made: OpaquePointer?
            return [CChar](arrayLiteral: -1, -2, 0).withUnsafeBufferPointer {
                kvc_session_create($0.baseAddress, [Self.shape], 1, nil, &made, error)
            }
        }
    }

    @Test func options() {
        func refuse(
            _ status: kvc_status, _ words: String,
            sourceLocation: SourceLocation = #_sourceLocation,
            _ change: Options
        ) {
            var options = kvc_options(), made: OpaquePointer?
            options.size = MemoryLayout<kvc_options>.size
            change(&options)
            refused(status, words, sourceLocation: sourceLocation) {
                kvc_session_create("q8", [Self.shape], 1, &options, &made, $0)
            }
        }
        refuse(kvc_error_argument, "options.size is 0") { $0.size = 0 }
        refuse(kvc_error_argument, "options.size") { $0.size = Self.endless }
        refuse(kvc_error_argument, "options.size") { $0.size -= 1 }
        refuse(kvc_error_argument, "options.layout is 2") { $0.layout = kvc_layout(rawValue: 2) }
        refuse(kvc_error_argument, "options.threads is 1025") { $0.threads = 1025 }
        refuse(kvc_error_argument, "options.threads") { $0.threads = Self.endless }
        refuse(kvc_error_argument, "options.scale") { $0.scale = .nan }
        refuse(kvc_error_argument, "options.softcap") { $0.softcap = -1 }
        refuse(kvc_error_argument, "options.softcap") { $0.softcap = .infinity }
        refuse(kvc_error_argument, "options.interval") { $0.interval = Self.endless }
        refuse(kvc_error_argument, "options.observe") { $0.observe = Self.endless }
        refuse(kvc_error_argument, "options.sliding_windows is NULL") {
            $0.sliding_window_count = 1
        }
        refuse(kvc_error_argument, "sliding_window_count") {
            $0.sliding_window_count = Self.endless
        }
        refuse(kvc_error_argument, "options.metadata is NULL") { $0.metadata_count = 1 }
        [40, 40].withUnsafeBufferPointer { windows in
            refuse(kvc_error_session, "2 sliding windows for 1 layers") {
                ($0.sliding_windows, $0.sliding_window_count) = (windows.baseAddress, 2)
            }
        }
        [Self.endless].withUnsafeBufferPointer { windows in
            refuse(kvc_error_argument, "options.sliding_windows[0]") {
                ($0.sliding_windows, $0.sliding_window_count) = (windows.baseAddress, 1)
            }
        }
        [kvc_metadata()].withUnsafeBufferPointer { pairs in
            refuse(kvc_error_argument, "options.metadata[0].name is NULL") {
                ($0.metadata, $0.metadata_count) = (pairs.baseAddress, 1)
            }
        }
    }

    @Test func optionsOfALaterRelease() throws {
        struct Later {
            var options = kvc_options()
            var more = 0
        }
        var later = Later(), made: OpaquePointer?
        later.options.size = MemoryLayout<Later>.size
        func create(_ error: UnsafeMutablePointer<kvc_error>) -> kvc_status {
            withUnsafeBytes(of: &later) {
                kvc_session_create(
                    "q8", [Self.shape], 1, $0.assumingMemoryBound(to: kvc_options.self).baseAddress,
                    &made, error)
            }
        }
        try succeeds(create)
        kvc_session_free(made)
        later.more = 1
        refused(kvc_error_argument, "later release", create)
    }

    @Test func rows() throws {
        let recording = Recording(seed: 8, tokens: 40)
        let session = try Handle("h2o(budget=50%) | q4"), pointer = session.pointer
        var rows = [Float](repeating: 0.5, count: 8 * 32 * 4), outputs = rows
        _ = try recording.feed(session, 0..<20)
        func append(
            _ status: kvc_status, _ words: String, layer: Int = 0, tokens: Int = 1,
            _ keys: UnsafePointer<Float>?, _ values: UnsafePointer<Float>?,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            refused(status, words, sourceLocation: sourceLocation) {
                kvc_session_append(pointer, layer, tokens, keys, values, $0)
            }
        }
        append(kvc_error_argument, "layer 2 of a session of 2 layers", layer: 2, rows, rows)
        append(kvc_error_argument, "layer 18446744073709551615", layer: Self.endless, rows, rows)
        append(kvc_error_argument, "tokens is 0", tokens: 0, rows, rows)
        append(kvc_error_argument, "tokens is", tokens: Self.endless, rows, rows)
        append(kvc_error_argument, "more than", tokens: Int(Int32.max), rows, rows)
        append(kvc_error_argument, "keys is NULL", nil, rows)
        append(kvc_error_argument, "values is NULL", rows, nil)
        rows.withUnsafeBytes { bytes in
            let odd = (bytes.baseAddress! + 1).assumingMemoryBound(to: Float.self)
            append(kvc_error_argument, "keys are not aligned", odd, rows)
            let high = UnsafePointer<Float>(bitPattern: UInt.max - 63)!
            append(kvc_error_argument, "keys of 2 heads x 1 tokens x 32 do not fit", high, rows)
        }
        rows[33] = .nan
        append(kvc_error_values, "layer 0, key head 1, token 20", rows, outputs)
        rows[33] = 1e9
        append(kvc_error_values, "value head", outputs, Array(rows[17...]))

        func attend(
            _ status: kvc_status, _ words: String, layer: Int = 0, tokens: Int = 1, heads: Int = 4,
            _ queries: UnsafePointer<Float>?, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            outputs[0] = 77
            refused(status, words, sourceLocation: sourceLocation) {
                kvc_session_attend(pointer, layer, tokens, heads, queries, &outputs, $0)
            }
            #expect(outputs[0] == 77, sourceLocation: sourceLocation)
        }
        let queries = [Float](repeating: 1, count: 32 * 32 * 21)
        attend(kvc_error_argument, "layer 3", layer: 3, queries)
        attend(kvc_error_argument, "tokens is 0", tokens: 0, queries)
        attend(kvc_error_layer, "21 queries", tokens: 21, queries)
        attend(kvc_error_argument, "query_heads is 0", heads: 0, queries)
        attend(kvc_error_argument, "query_heads is 33", heads: 33, queries)
        attend(kvc_error_argument, "query_heads", heads: Self.endless, queries)
        attend(kvc_error_layer, "3 query heads", heads: 3, queries)
        attend(kvc_error_layer, "which had 4 before", heads: 8, queries)
        attend(kvc_error_argument, "queries is NULL", nil)
        attend(
            kvc_error_values, "query head 1, row 0: nan is not finite",
            queries.indices.map { $0 == 40 ? .nan : 1 })
        refused(kvc_error_argument, "outputs is NULL") {
            kvc_session_attend(pointer, 0, 1, 4, queries, nil, $0)
        }
        // And on it goes.
        #expect(try recording.feed(session, 20..<40).count == 2)
    }

    @Test func orderOfCalls() throws {
        let session = try Handle("snapkv(budget=50%)"), pointer = session.pointer
        let rows = [Float](repeating: 0.5, count: 200 * 2 * 32), scratch = try Scratch()
        let path = scratch["a.kvc"].path
        refused(kvc_error_session, "without tokens") { kvc_session_save(pointer, path, $0) }
        try session.does { kvc_session_append(pointer, 0, 200, rows, rows, $0) }
        refused(kvc_error_session, "layer 1 has 0 tokens and layer 0 has 200") {
            kvc_session_save(pointer, path, $0)
        }
        refused(kvc_error_session, "layer 1") { kvc_session_compress(pointer, $0) }
        refused(kvc_error_session, "layer 1") { kvc_session_append(pointer, 0, 1, rows, rows, $0) }
        try session.does { kvc_session_append(pointer, 1, 200, rows, rows, $0) }
        refused(kvc_error_queries, "quer") { kvc_session_compress(pointer, $0) }
        refused(kvc_error_session, "go back to 201") { kvc_session_truncate(pointer, 201, $0) }
        refused(kvc_error_argument, "tokens is") { kvc_session_truncate(pointer, -1, $0) }
        refused(kvc_error_system, "nowhere") {
            kvc_session_save(pointer, scratch["nowhere/a.kvc"].path, $0)
        }
    }

    @Test func nothingAtAll() throws {
        var made: OpaquePointer?, shape = Self.shape, number: Float = 1
        let session = try Handle("q8")
        kvc_session_free(nil)
        let calls: [(String, (UnsafeMutablePointer<kvc_error>?) -> kvc_status)] = [
            ("session", { kvc_session_load("a", nil, nil, $0) }),
            ("path", { kvc_session_load(nil, nil, &made, $0) }),
            ("session", { kvc_session_fork(nil, &made, $0) }),
            ("fork", { kvc_session_fork(session.pointer, nil, $0) }),
            ("session", { kvc_session_geometry(nil, 0, &shape, $0) }),
            ("geometry", { kvc_session_geometry(session.pointer, 0, nil, $0) }),
            ("session", { kvc_session_append(nil, 0, 1, [1], [1], $0) }),
            ("session", { kvc_session_attend(nil, 0, 1, 1, [1], &number, $0) }),
            ("session", { kvc_session_compress(nil, $0) }),
            ("session", { kvc_session_truncate(nil, 0, $0) }),
            ("statistics", { kvc_session_statistics(session.pointer, nil, $0) }),
            ("session", { kvc_session_save(nil, "a", $0) }),
            ("path", { kvc_session_save(session.pointer, nil, $0) }),
        ]
        for (name, call) in calls {
            refused(kvc_error_argument, "\(name) is NULL") { call($0) }
            #expect(call(nil) == kvc_error_argument)
        }
        var statistics = kvc_statistics()
        refused(kvc_error_argument, "statistics.size is 0") {
            kvc_session_statistics(session.pointer, &statistics, $0)
        }
    }

    @Test func messagesAreOneLineCutBetweenCharacters() {
        var made: OpaquePointer?
        for filler in 0..<4 {
            let name = String(repeating: "\n", count: filler)
            let (status, message) = said {
                kvc_session_load(name + String(repeating: "\u{1F4A5}", count: 400), nil, &made, $0)
            }
            #expect(status == kvc_error_system)
            #expect((508...511).contains(message.utf8.count))
            #expect(message.contains("\u{1F4A5}") && !message.contains("\u{FFFD}"))
            #expect(!message.contains("\n"))
        }
    }

    @Test func filesThatAreNone() throws {
        let scratch = try Scratch(), session = try Handle("q8"), file = scratch["a.kvc"]
        var made: OpaquePointer?
        func load(_ status: kvc_status, sourceLocation: SourceLocation = #_sourceLocation) {
            made = OpaquePointer(bitPattern: 64)
            refused(status, "a.kvc", sourceLocation: sourceLocation) {
                kvc_session_load(file.path, nil, &made, $0)
            }
            #expect(made == nil, sourceLocation: sourceLocation)
        }
        load(kvc_error_system)
        try Data("not a cache".utf8).write(to: file)
        load(kvc_error_format)
        _ = try Recording(seed: 9, tokens: 70).feed(session, 0..<70)
        try session.does { kvc_session_save(session.pointer, file.path, $0) }
        let whole = try Data(contentsOf: file)
        try whole.dropLast(64).write(to: file, options: .atomic)
        load(kvc_error_damaged)
        var changed = whole
        changed[changed.count / 2] ^= 1
        try changed.write(to: file, options: .atomic)
        load(kvc_error_damaged)
    }
}
