/// The JSON that file headers consist of: objects, arrays, strings and integers from 0.
enum HeaderValue: Equatable {
    case object([String: HeaderValue])
    case array([HeaderValue])
    case string(String)
    case integer(Int)

    /// The members of an object of strings; nil for anything else.
    var strings: [String: String]? {
        guard case .object(let members) = self else { return nil }
        var strings: [String: String] = [:]
        for (name, member) in members {
            guard case .string(let text) = member else { return nil }
            strings[name] = text
        }
        return strings
    }
}

/// A strict parser for bytes that nobody vouches for.
///
/// Refuses what `JSONSerialization` lets pass: a name given twice, and numbers that are rounded.
struct HeaderParser {
    /// What is wrong, and at which byte of the text.
    struct Failure: Error {
        let offset: Int
        let what: String
    }

    /// No header nests deeper; without a limit a file of brackets would exhaust the stack.
    private static let depthLimit = 8

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// The value that is the whole text, but for white space around it.
    static func parse(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> HeaderValue {
        var parser = HeaderParser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else {
            throw parser.failure("text after the end of the value")
        }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func failure(_ what: String) -> Failure { Failure(offset: position, what: what) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D {
            position += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard let byte = next, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
        guard take(character) else { throw failure("expected '\(character)'") }
    }

    private mutating func value(depth: Int) throws(Failure) -> HeaderValue {
        skipSpace()
        guard depth < Self.depthLimit else {
            throw failure("nested deeper than \(Self.depthLimit)")
        }
        guard let first = next else { throw failure("the text ends where a value should stand") }
        switch first {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try integer())
        default: throw failure("expected an object, an array, a string or an integer from 0")
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> [String: HeaderValue] {
        var members: [String: HeaderValue] = [:]
        try expect("{")
        if take("}") { return members }
        repeat {
            skipSpace()
            let start = position
            let name = try string()
            try expect(":")
            let member = try value(depth: depth + 1)
            guard members.updateValue(member, forKey: name) == nil else {
                throw Failure(offset: start, what: "the name \(quoted(name)) is given twice")
            }
        } while take(",")
        try expect("}")
        return members
    }

    private mutating func array(depth: Int) throws(Failure) -> [HeaderValue] {
        var elements: [HeaderValue] = []
        try expect("[")
        if take("]") { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while take(",")
        try expect("]")
        return elements
    }

    private mutating func integer() throws(Failure) -> Int {
        let start = position
        var number = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (tens, large) = number.multipliedReportingOverflow(by: 10)
            let (sum, larger) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !large, !larger else {
                throw Failure(offset: start, what: "an integer beyond \(Int.max)")
            }
            number = sum
            position += 1
        }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw Failure(offset: start, what: "an integer with a leading 0")
        }
        if let byte = next,
            [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(byte)
        {
            throw Failure(offset: start, what: "a number that is no integer")
        }
        return number
    }

    private mutating func string() throws(Failure) -> String {
        guard next == UInt8(ascii: "\"") else { throw failure("expected a string") }
        let start = position
        position += 1
        var text: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw failure("a control character inside a string") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                text.append(contentsOf: try escape().utf8)
            } else {
                text.append(byte)
            }
        }
        guard next != nil else { throw Failure(offset: start, what: "a string without an end") }
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
            throw Failure(offset: start, what: "a string that is not UTF-8")
        }
        return string
    }

    /// What follows a backslash.
    private mutating func escape() throws(Failure) -> String {
        let start = position - 1
        let kind = next
        position += 1
        switch kind {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var units = [try hexadecimal()]
            if UTF16.isLeadSurrogate(units[0]), position + 1 < bytes.count,
                bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                units.append(try hexadecimal())
            }
            guard let text = String(validating: units, as: UTF16.self) else {
                throw Failure(offset: start, what: "half of a surrogate pair")
            }
            return text
        default: throw Failure(offset: start, what: "an unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}

/// A string as JSON, always written the same way.
func jsonString(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": json += "\\\""
        case "\\": json += "\\\\"
        case "\n": json += "\\n"
        case "\r": json += "\\r"
        case "\t": json += "\\t"
        case "\u{0}"..<"\u{20}":
            let digits = String(scalar.value, radix: 16)
            json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: json.unicodeScalars.append(scalar)
        }
    }
    return json + "\""
}

/// An object of strings as JSON, sorted by name.
func jsonObject(_ strings: [String: String]) -> String {
    let members = strings.sorted { $0.key < $1.key }.map {
        jsonString($0.key) + ":" + jsonString($0.value)
    }
    return "{" + members.joined(separator: ",") + "}"
}
