/// A word of a plan and what stands in parentheses behind it: `q4(group=64)`, `25%`, `top`.
struct Term: Hashable, Sendable, CustomStringConvertible {
    struct Argument: Hashable, Sendable {
        var name: String?
        var value: Term
    }

    var word: String
    var arguments: [Argument] = []

    var description: String {
        guard !arguments.isEmpty else { return word }
        let inside = arguments.map { ($0.name.map { "\($0)=" } ?? "") + $0.value.description }
        return "\(word)(\(inside.joined(separator: ", ")))"
    }
}

/// Reads the grammar of plans, in which blanks between words and signs mean nothing.
///
///     plan     = term { "|" term }
///     term     = word [ "(" [ argument { "," argument } ] ")" ]
///     argument = [ word "=" ] term
struct TermParser {
    private let text: [Character]
    private var position = 0

    /// The stages of a plan's text.
    static func stages(of text: String) throws(CompressionError) -> [Term] {
        var parser = TermParser(text: Array(text))
        guard parser.peek() != nil else {
            throw CompressionError(
                .plan,
                "the plan is empty; expected stages, such as 'h2o(budget=25%) | q4'"
            )
        }
        var terms = [try parser.term(depth: 0)]
        while let next = parser.peek() {
            guard next == "|" else { throw parser.unexpected("'|' or the end") }
            parser.position += 1
            terms.append(try parser.term(depth: 0))
        }
        return terms
    }

    private init(text: [Character]) { self.text = text }

    private mutating func peek() -> Character? {
        while position < text.count, text[position].isWhitespace { position += 1 }
        return position < text.count ? text[position] : nil
    }

    private mutating func unexpected(_ expected: String) -> CompressionError {
        let found = peek().map { "'\($0)'" } ?? "the end"
        return CompressionError(
            .plan,
            "plan, column \(position + 1): expected \(expected), found \(found)"
        )
    }

    private mutating func word() throws(CompressionError) -> String {
        guard peek() != nil else { throw unexpected("a name or a value") }
        let start = position
        while position < text.count, Self.belongs(text[position]) { position += 1 }
        guard position > start else { throw unexpected("a name or a value") }
        return String(text[start..<position])
    }

    private static func belongs(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "%.-_+".contains(character)
    }

    private mutating func term(depth: Int) throws(CompressionError) -> Term {
        try rest(of: word(), depth: depth)
    }

    private mutating func rest(of word: String, depth: Int) throws(CompressionError) -> Term {
        var term = Term(word: word)
        guard peek() == "(" else { return term }
        // No method nests deeper than a codec inside kv.
        guard depth < 8 else { throw unexpected("fewer parentheses inside each other") }
        position += 1
        if peek() == ")" {
            position += 1
            return term
        }
        while true {
            term.arguments.append(try argument(depth: depth + 1))
            let next = peek()
            guard next == "," || next == ")" else { throw unexpected("',' or ')'") }
            position += 1
            if next == ")" { return term }
        }
    }

    private mutating func argument(depth: Int) throws(CompressionError) -> Term.Argument {
        let first = try word()
        guard peek() == "=" else {
            return Term.Argument(name: nil, value: try rest(of: first, depth: depth))
        }
        position += 1
        return Term.Argument(name: first, value: try term(depth: depth))
    }
}
