/// Helps whoever mistyped a word.
enum Spelling {
    /// " Did you mean 'x'?" when one of the words is near, else nothing.
    static func hint(_ word: String, among words: [String]) -> String {
        nearest(word, among: words).map { " Did you mean '\($0)'?" } ?? ""
    }

    /// The word with the fewest edits to `word`, the first of equals; nil when all are far.
    static func nearest(_ word: String, among words: [String]) -> String? {
        let lowered = word.lowercased()
        let best = words.map { (word: $0, edits: distance(lowered, $0)) }.min {
            $0.edits < $1.edits
        }
        return best.flatMap { $0.edits <= max(1, lowered.count / 2) ? $0.word : nil }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a), b = Array(b)
        var before = [Int](), last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var edits = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    edits = min(edits, before[j - 1] + 1)
                }
                row.append(edits)
            }
            (before, last) = (last, row)
        }
        return last[b.count]
    }
}
