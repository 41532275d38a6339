import Foundation
import KVCompress

/// What `kvc score` found.
struct ScoreResult: Encodable {
    let plan: String
    let tokens: Int
    /// Tokens that were read before the plan applied.
    let prefill: Int
    /// -log p of every token but the first, in nats.
    let nll: [Double]
    let perplexity: Double
    /// Of the cache as it stood at the end, its newest tokens as they came.
    let cache: CacheBytes
    let remarks: [String]
    let seconds: Double

    init(plan: Plan, losses: [Double], prefill: Int, session: CacheSession, seconds: Double) {
        self.plan = plan.description
        tokens = losses.count + 1
        self.prefill = prefill
        nll = losses
        perplexity = exp(losses.reduce(0, +) / Double(losses.count))
        cache = CacheBytes(session)
        remarks = session.remarks
        self.seconds = seconds
    }

    enum CodingKeys: String, CodingKey {
        case plan, tokens, prefill, nll, perplexity, remarks, seconds
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(plan, forKey: .plan)
        try container.encode(tokens, forKey: .tokens)
        try container.encode(prefill, forKey: .prefill)
        try container.encode(nll, forKey: .nll)
        try container.encode(perplexity, forKey: .perplexity)
        try container.encode(remarks, forKey: .remarks)
        try container.encode(seconds, forKey: .seconds)
        try cache.encode(to: encoder)
    }

    var text: String {
        var table = Table(leading: 2)
        table.add(["plan", plan])
        table.add(["tokens", "\(tokens.grouped), the first \(prefill.grouped) before the plan"])
        table.add([
            "perplexity",
            String(format: "%.4f (%.4f nats per token)", perplexity, log(perplexity)),
        ])
        table.add(["cache", cache.text])
        table.add(["time", String(format: "%.2f s", seconds)])
        for remark in remarks { table.add(["remark", remark]) }
        return table.text
    }
}

/// How large a session's cache is, and would be in f16.
struct CacheBytes: Encodable {
    let storedBytes: Int
    let residentBytes: Int
    let f16Bytes: Int
    let ratio: Double
    let bitsPerValue: Double

    enum CodingKeys: String, CodingKey {
        case ratio
        case storedBytes = "stored_bytes"
        case residentBytes = "resident_bytes"
        case f16Bytes = "f16_bytes"
        case bitsPerValue = "bits_per_value"
    }

    init(_ session: CacheSession) {
        let ledger = session.ledger
        storedBytes = ledger.storedBytes
        residentBytes = ledger.residentBytes
        f16Bytes = session.f16Bytes
        ratio = Double(f16Bytes) / Double(max(storedBytes, 1))
        bitsPerValue = 16 * Double(storedBytes) / Double(max(f16Bytes, 1))
    }

    var text: String {
        "\(storedBytes.grouped) bytes, \(f16Bytes.grouped) in f16: "
            + String(format: "%.2fx, %.2f bits per value", ratio, bitsPerValue)
    }
}
