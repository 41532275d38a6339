import Foundation
import Testing

@testable import KVCompress

/// The page of all methods.
@Suite struct MethodTableTests {
    @Test func documentationIsTheRegistry() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Documentation/Methods.md").standardizedFileURL
        let written = try String(contentsOf: page, encoding: .utf8)
        let isCurrent = written == MethodTable.markdown + "\n"
        #expect(isCurrent, "run: kvc methods --markdown > Documentation/Methods.md")
    }

    @Test func everyMethodHasARow() {
        let lines = MethodTable.markdown.split(separator: "\n")
        let names =
            Registry.methods.map(\.name)
            + Registry.allocations.map { "allocate=\($0.identity.name)" }
        for name in names {
            #expect(lines.count { $0.hasPrefix("| `\(name)` |") } == 1, "\(name)")
        }
        let table = lines.filter { $0.hasPrefix("| `") }
        #expect(table.count == names.count)
        #expect(table.allSatisfy { $0.components(separatedBy: " | ").count == 7 })
    }
}
