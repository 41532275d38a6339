/// The checked values of a method's parameters, defaults filled in.
struct Arguments: Sendable {
    enum Value: Sendable {
        case count(Int)
        case share(Share)
        case budget(Budget)
        case amount(Amount)
        case number(Double)
        indirect case choice(String, Arguments)
    }

    private var values: [String: Value] = [:]

    /// Nil only for a parameter that was not given and whose default is computed.
    subscript(name: String) -> Value? { values[name] }

    // Asking for another kind than the description declares is a mistake in the program.

    func count(_ name: String) -> Int {
        guard case .count(let value) = values[name] else {
            preconditionFailure("\(name) is no count")
        }
        return value
    }

    func share(_ name: String) -> Share {
        guard case .share(let value) = values[name] else {
            preconditionFailure("\(name) is no share")
        }
        return value
    }

    func budget(_ name: String) -> Budget {
        guard case .budget(let value) = values[name] else {
            preconditionFailure("\(name) is no budget")
        }
        return value
    }

    func amount(_ name: String) -> Amount? {
        guard case .amount(let value)? = values[name] else { return nil }
        return value
    }

    func number(_ name: String) -> Double {
        guard case .number(let value) = values[name] else {
            preconditionFailure("\(name) is no number")
        }
        return value
    }

    func choice(_ name: String) -> (word: String, arguments: Arguments) {
        guard case .choice(let word, let arguments) = values[name] else {
            preconditionFailure("\(name) is no choice")
        }
        return (word, arguments)
    }

    /// A choice that is an enumeration's case.
    func word<Word: RawRepresentable<String>>(_ name: String, _: Word.Type = Word.self) -> Word {
        guard let word = Word(rawValue: choice(name).word) else {
            preconditionFailure("\(name) is no such word")
        }
        return word
    }
}

extension Arguments {
    /// Checks a term's arguments against the parameters of what it names.
    ///
    /// `place` begins every message: where in the plan the trouble is.
    init(
        _ term: Term,
        _ parameters: [ParameterDescription],
        at place: String,
        positional: Bool = false
    ) throws(CompressionError) {
        for argument in term.arguments {
            let parameter = try Self.parameter(
                for: argument,
                parameters,
                at: place,
                positional: positional
            )
            guard values[parameter.name] == nil else {
                throw CompressionError(.plan, "\(place): '\(parameter.name)' is given twice")
            }
            values[parameter.name] = try parameter.kind.value(
                of: argument.value,
                at: "\(place): \(parameter.name)=\(argument.value)"
            )
        }
        for parameter in parameters where values[parameter.name] == nil {
            if parameter.isRequired {
                throw CompressionError(
                    .plan,
                    "\(place): '\(parameter.name)' is missing; expected \(parameter.kind.expected)"
                )
            }
            guard let text = parameter.defaultText else { continue }
            let term = try TermParser.stages(of: text)[0]
            values[parameter.name] = try parameter.kind.value(
                of: term,
                at: "\(place): \(parameter.name)=\(text)"
            )
        }
    }

    private static func parameter(
        for argument: Term.Argument,
        _ parameters: [ParameterDescription],
        at place: String,
        positional: Bool
    ) throws(CompressionError) -> ParameterDescription {
        let names = parameters.map(\.name)
        guard let name = argument.name else {
            if positional, parameters.count == 1 { return parameters[0] }
            guard
                let fitting = parameters.first(where: {
                    (try? $0.kind.value(of: argument.value, at: "")) != nil
                })
            else {
                throw CompressionError(
                    .plan,
                    "\(place): '\(argument.value)' needs a name; \(Self.takes(names))"
                )
            }
            throw CompressionError(
                .plan,
                "\(place): '\(argument.value)' needs a name. Did you mean '\(fitting.name)=\(argument.value)'?"
            )
        }
        guard let parameter = parameters.first(where: { $0.name == name }) else {
            throw CompressionError(
                .plan,
                "\(place): unknown parameter '\(name)'.\(Spelling.hint(name, among: names)) It \(Self.takes(names))"
            )
        }
        return parameter
    }

    private static func takes(_ names: [String]) -> String {
        names.isEmpty ? "takes no parameters" : "takes \(names.joined(separator: ", "))"
    }
}

extension ValueKind {
    /// The value that a term writes.
    func value(of term: Term, at place: String) throws(CompressionError) -> Arguments.Value {
        if case .choice(let choices) = self {
            guard let choice = choices.first(where: { $0.name == term.word }) else {
                throw refusal(at: place, Spelling.hint(term.word, among: choices.map(\.name)))
            }
            return .choice(
                choice.name,
                try Arguments(term, choice.parameters, at: place, positional: true)
            )
        }
        guard term.arguments.isEmpty, let value = value(of: term.word) else {
            throw refusal(at: place, unitHint(term.word))
        }
        return value
    }

    private func value(of word: String) -> Arguments.Value? {
        switch self {
        case .count(let range): wholeNumber(word).flatMap { range.contains($0) ? .count($0) : nil }
        case .share: Share(word).map { .share($0) }
        case .budget: Budget(word).map { .budget($0) }
        case .amount: Amount(word).map { .amount($0) }
        case .number(let range):
            decimalNumber(word).flatMap { range.contains($0) ? .number($0) : nil }
        case .choice: nil
        }
    }

    private func refusal(at place: String, _ hint: String) -> CompressionError {
        CompressionError(.plan, "\(place) is not valid; expected \(expected).\(hint)")
    }

    /// What somebody means who writes 64MB, 64mib or 0.25.
    private func unitHint(_ word: String) -> String {
        let digits = word.prefix { $0.isNumber }
        let unit = word.dropFirst(digits.count).lowercased()
        let binary = [
            "k": "KiB", "kb": "KiB", "kib": "KiB", "m": "MiB", "mb": "MiB", "mib": "MiB",
            "g": "GiB", "gb": "GiB", "gib": "GiB",
        ]
        var guess = word
        if let unit = binary[unit] { guess = digits + unit }
        if let share = Double(word), share > 0, share < 1 {
            guess = "\((share * 1e6).rounded() / 1e4)%".replacing(".0%", with: "%")
        }
        return guess != word && value(of: guess) != nil ? " Did you mean '\(guess)'?" : ""
    }
}
