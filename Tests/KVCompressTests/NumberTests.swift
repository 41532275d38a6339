import Testing

@testable import KVCompress

/// Decimal numbers in plans.
@Suite struct NumberTests {
    private func value(_ text: String, _ kind: ValueKind) throws -> Arguments.Value {
        try kind.value(of: TermParser.stages(of: text)[0], at: "m: p=\(text)")
    }

    @Test(arguments: [
        ("0.75", 0.75, "0.75"), ("5", 5, "5"), ("5.0", 5, "5"), ("1e-3", 0.001, "0.001"),
        ("-0", 0, "0"), ("-2.50", -2.5, "-2.5"), ("1e300", 1e300, "1e+300"), (".5", 0.5, "0.5"),
        ("0.1000000000000000055511151231257827", 0.1, "0.1"), ("1E-12", 1e-12, "1e-12"),
    ])
    func canonical(text: String, number: Double, canonical: String) throws {
        #expect(decimalNumber(text) == number)
        #expect(decimalText(number) == canonical)
        guard case .number(let read) = try value(canonical, .number(-1e301...1e301)) else {
            Issue.record("\(canonical) is no number")
            return
        }
        #expect(read == number && read.sign == number.sign)
    }

    @Test func everyNumberReadsBack() {
        var random = Seeded(1)
        for _ in 0..<10000 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            #expect(decimalNumber(decimalText(number)) == number)
        }
    }

    @Test(arguments: ["inf", "nan", "0x1p3", "", "1e", "1,5", "--1", "1e999", "0.5%", "٣"])
    func noNumbers(text: String) { #expect(decimalNumber(text) == nil) }

    @Test func refusals() throws {
        func message(_ text: String, _ kind: ValueKind) -> String {
            do {
                _ = try value(text, kind)
                return "accepted"
            } catch {
                return "\(error)"
            }
        }
        let share = ValueKind.number(0...1)
        #expect(message("0.5", share) == "accepted" && message("1", share) == "accepted")
        #expect(message("1.5", share).contains("expected a number from 0 to 1."))
        #expect(message("75%", share).contains("Did you mean '0.75'?"))
        #expect(message("0.5(3)", share).contains("is not valid"))
        let open = ValueKind.word("automatic", or: .number(0.5...(.infinity)))
        #expect(message("automatic", open) == "accepted" && message("7", open) == "accepted")
        #expect(message("0.1", open).contains("expected automatic, or a number from 0.5."))
        #expect(message("automatc", open).contains("Did you mean 'automatic'?"))
    }
}
