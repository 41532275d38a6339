public import KVCompress

extension Model {
    /// A session that has read tokens and compressed nothing: any plan may take over from here.
    public func prefilled(_ tokens: [Int]) throws(CompressionError) -> CacheSession {
        var options = SessionOptions()
        options.keepsQueries = true
        let prefill = try session(Plan("f16"), options: options)
        _ = try read(tokens, prefill, logits: .none)
        return prefill
    }

    /// What the model says behind some tokens, always the likeliest.
    ///
    /// - Parameters:
    ///   - tokens: a question; it and all of the answer but the last token are appended to the session.
    ///   - count: tokens of the answer.
    public func answer(
        to tokens: [Int], count: Int, _ session: CacheSession
    ) throws(CompressionError) -> [Int] {
        var answer: [Int] = [], next = tokens
        while answer.count < count {
            let logits = try read(next, session, logits: .last)
            next = [logits[...].likeliest]
            answer += next
        }
        return answer
    }
}
