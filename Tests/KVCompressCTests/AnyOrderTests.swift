import CKVCompress
import KVCompressC
import Testing

/// Calls that no engine would make, one after the other.
struct AnyOrderTests {
    @Test(arguments: ["h2o(budget=40) | q4", "snapkv(budget=50%) | kvmerger | q8(window=20)", "q4"])
    func callsInAnyOrder(plan: String) throws {
        var random = Seeded(10)
        let sizes = [0, 1, 1, 1, 2, 7, 64, 100],
            rows = [Float](repeating: 0.25, count: 32 * 200 * 32)
        var outputs = rows, worked = 0
        var session = try Handle(plan)
        for _ in 0..<600 {
            let layer = Int.random(in: 0...2, using: &random)
            let n = sizes.randomElement(using: &random)!
            let status: kvc_status
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<3:
                status = kvc_session_append(session.pointer, layer, n, rows, rows, nil)
            case 3..<6:
                status = (0..<Recording.layers).map {
                    kvc_session_append(session.pointer, $0, n, rows, rows, nil)
                }.last!
            case 6..<9:
                let heads = [1, 2, 4, 4, 4, 32, 40].randomElement(using: &random)!
                status = kvc_session_attend(session.pointer, layer, n, heads, rows, &outputs, nil)
            case 9: status = kvc_session_compress(session.pointer, nil)
            case 10:
                let tokens = try session.statistics.tokens - n
                status = kvc_session_truncate(session.pointer, tokens, nil)
            default:
                session = try session.fork()
                status = kvc_ok
            }
            if status == kvc_ok { worked += 1 }
        }
        #expect(worked > 100)
    }
}
