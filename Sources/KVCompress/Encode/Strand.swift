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
        var strands: [Strand] = []
        for isShared in [true, false] {
            let entries = isShared ? shared : Array(0..<coded).without(shared)
            for (index, codecs) in codecs.enumerated() {
                let members =
                    draft.classes.map { classes in
                        entries.indices.filter { Int(classes[entries[$0]]) == index }
                    } ?? (index == 0 ? Array(entries.indices) : [])
                let whole = codecs.whole(members.count)
                for (places, codecs) in [
                    (members[..<whole], codecs), (members[whole...], codecs.tail),
                ] where !places.isEmpty {
                    strands.append(
                        Strand(
                            entries: places.map { entries[$0] }, codecs: codecs,
                            shared: isShared ? Array(places) : nil))
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

extension [Int] {
    /// These ascending numbers but for some of them, which ascend, too.
    fileprivate func without(_ others: [Int]) -> [Int] {
        guard !others.isEmpty else { return self }
        var rest = others.makeIterator(), next = rest.next()
        return filter { number in
            guard number == next else { return true }
            next = rest.next()
            return false
        }
    }
}
