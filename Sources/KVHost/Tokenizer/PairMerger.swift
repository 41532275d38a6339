/// Merges the characters of a text into pieces: the best pair first, the leftmost of equals.
struct PairMerger {
    /// A run of bytes between two others; of no length once it was merged into the one before.
    private struct Symbol {
        var range: Range<Int>
        var previous: Int
        var next: Int
    }

    /// Two neighbours that make a piece.
    private struct Pair: Comparable {
        let left: Int
        let right: Int
        let score: Float
        /// Bytes of both when they were found, by which a pair that is no more is known.
        let size: Int

        static func < (a: Pair, b: Pair) -> Bool {
            a.score != b.score ? a.score < b.score : a.left > b.left
        }
    }

    private let vocabulary: Vocabulary
    private let text: [UInt8]
    private var symbols: [Symbol] = []
    private var pairs = Heap<Pair>()

    init(_ vocabulary: Vocabulary, _ text: [UInt8]) {
        self.vocabulary = vocabulary
        self.text = text
        var start = 0
        for index in 1...max(1, text.count)
        where index >= text.count || text[index] & 0xC0 != 0x80 {
            let place = symbols.count
            symbols.append(
                Symbol(range: start..<min(index, text.count), previous: place - 1, next: place + 1))
            start = index
        }
        symbols[symbols.count - 1].next = -1
        for index in symbols.indices.dropFirst() { consider(index - 1, index) }
    }

    /// The pieces, in order; those that the vocabulary lacks are single characters.
    consuming func merged() -> [ArraySlice<UInt8>] {
        while let pair = pairs.popMax() {
            let left = symbols[pair.left].range, right = symbols[pair.right].range
            guard !left.isEmpty, !right.isEmpty, left.count + right.count == pair.size else {
                continue
            }
            symbols[pair.left].range = left.lowerBound..<right.upperBound
            symbols[pair.right].range = right.upperBound..<right.upperBound
            let next = symbols[pair.right].next
            symbols[pair.left].next = next
            if next >= 0 { symbols[next].previous = pair.left }
            consider(symbols[pair.left].previous, pair.left)
            consider(pair.left, next)
        }
        return symbols.filter { !$0.range.isEmpty }.map { text[$0.range] }
    }

    private mutating func consider(_ left: Int, _ right: Int) {
        guard left >= 0, right >= 0 else { return }
        let range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
        guard let id = vocabulary.ids[Array(text[range])] else { return }
        pairs.push(
            Pair(left: left, right: right, score: vocabulary.pieces[id].score, size: range.count))
    }
}

/// A binary heap, the largest on top.
private struct Heap<Element: Comparable> {
    private var elements: [Element] = []

    mutating func push(_ element: Element) {
        elements.append(element)
        var place = elements.count - 1
        while place > 0, elements[(place - 1) / 2] < elements[place] {
            elements.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func popMax() -> Element? {
        guard let last = elements.popLast() else { return nil }
        guard let top = elements.first else { return last }
        elements[0] = last
        var place = 0
        while true {
            var best = place
            for child in 2 * place + 1...2 * place + 2
            where child < elements.count && elements[best] < elements[child] {
                best = child
            }
            guard best != place else { return top }
            elements.swapAt(place, best)
            place = best
        }
    }
}
