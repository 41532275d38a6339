/// What may happen to a file.
extension SeededGenerator {
    /// Bytes damaged once: bits flipped, cut, pieces dropped, doubled or overwritten, absurd numbers.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        func range(_ random: inout Self) -> Range<Int> {
            let start = Int.random(in: 0...result.count, using: &random)
            return start..<Int.random(in: start...min(result.count, start + 64), using: &random)
        }
        switch Int.random(in: 0..<6, using: &self) {
        case 0:
            for _ in 0..<Int.random(in: 1...8, using: &self) where !result.isEmpty {
                let bit = Int.random(in: 0..<result.count * 8, using: &self)
                result[bit / 8] ^= 1 << (bit % 8)
            }
        case 1: result.removeLast(Int.random(in: 0...result.count, using: &self))
        case 2: result.removeSubrange(range(&self))
        case 3:
            let piece = Array(result[range(&self)])
            result.insert(contentsOf: piece, at: Int.random(in: 0...result.count, using: &self))
        case 4:
            let numbers: [UInt64] = [
                0, 1, 0x7F, 1 << 31, 1 << 32, 1 << 62, .max >> 1, .max - 63, .max,
            ]
            let number = numbers.randomElement(using: &self) ?? 0
            let piece = withUnsafeBytes(of: number.littleEndian) { Array($0) }
            let start = Int.random(in: 0...max(0, result.count - 8), using: &self)
            result.replaceSubrange(start..<min(result.count, start + 8), with: piece)
        default:
            let start = Int.random(in: 0...result.count, using: &self)
            let end = min(result.count, start + Int.random(in: 1...16, using: &self))
            for index in start..<end { result[index] = .random(in: .min ... .max, using: &self) }
        }
        return result
    }

    /// JSON text damaged once at its marks and words, so that more of it passes the parser.
    mutating func damaged(json text: String) -> String {
        let words = [
            "0", "1", "2", "18446744073709551616", "9223372036854775807", "4611686018427387904",
            "-1", "1e9", "null",
            "F32", "F16", "BF16", "U8", "layers.0.key", "layers.1.query", "__metadata__", "shape",
            "[]", "{}", ",", "\"",
            "\\u0000", "[[[[[[[[[[", "{\"a\":{\"a\":",
        ]
        // Pieces are what stands between marks; one is replaced, doubled, dropped or exchanged.
        var pieces: [String] = []
        for character in text {
            if "{}[],:\"".contains(character)
                || pieces.last.map({ "{}[],:\"".contains($0) }) ?? true
            {
                pieces.append(String(character))
            } else {
                pieces[pieces.count - 1].append(character)
            }
        }
        let index = Int.random(in: 0..<pieces.count, using: &self)
        let other = Int.random(in: 0..<pieces.count, using: &self)
        switch Int.random(in: 0..<5, using: &self) {
        case 0: pieces[index] = words.randomElement(using: &self) ?? ""
        case 1: pieces.insert(pieces[index], at: index)
        case 2: pieces.remove(at: index)
        case 3: pieces.swapAt(index, other)
        default:
            // A whole run again: names given twice, tensors that overlap.
            let run = pieces[min(index, other)...max(index, other)]
            pieces.insert(contentsOf: run, at: max(index, other))
        }
        return pieces.joined()
    }
}
