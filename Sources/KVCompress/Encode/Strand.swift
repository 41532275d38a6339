/// Entries of one head that are written alike: one store of keys and one of values make one segment.
struct Strand {
    /// Places in the head's draft, ascending.
    let entries: [Int]
    let codecs: CodecPair
    /// Where they stand among the entries that the group's layers share; nil when they do not share them.
    var shared: [Int]?
    /// The window of newest entries, which no basis touches.
    var isWindow = false

    /// Cuts a head into strands.
    ///
    /// Coded entries come first, class by class, those that are shared before the others; of each kind those
    /// that do not fill a per-channel group go behind it in f16; then the window of the newest entries in f16.
    /// - Parameters:
    ///   - codecs: what the classes of the draft are written in.
    ///   - shared: places in the draft, ascending, that the group's layers share; none in the window.
    static func strands(
        of draft: HeadDraft, codecs: [CodecPair], window: Int, shared: [Int] = []
    ) -> [Strand] {
        let coded = draft.count - min(window, draft.count)
        precondition(shared.allSatisfy { $0 < coded })
        var places = [Int?](repeating: nil, count: coded)
        for (place, entry) in shared.enumerated() { places[entry] = place }
        var strands: [Strand] = []
        for isShared in [true, false] {
            for (index, codecs) in codecs.enumerated() {
                let members = (0..<coded).filter {
                    (places[$0] != nil) == isShared && Int(draft.classes?[$0] ?? 0) == index
                }
                let whole = codecs.whole(members.count)
                for (entries, codecs) in [
                    (members[..<whole], codecs), (members[whole...], codecs.tail),
                ] where !entries.isEmpty {
                    strands.append(
                        Strand(
                            entries: Array(entries), codecs: codecs,
                            shared: isShared ? entries.map { places[$0]! } : nil))
                }
            }
        }
        if coded < draft.count {
            strands.append(
                Strand(entries: Array(coded..<draft.count), codecs: .plain, isWindow: true))
        }
        return strands
    }
}
