import Foundation
import KVCompress

extension Report {
    /// The report for people, with what there is to say of the file that the cache lies in.
    func text(file: String? = nil) -> String {
        var table = Table(leading: 2)
        table.add(["plan", plan])
        table.add(["tokens", tokens.grouped])
        table.add([
            "kept",
            "\(percent(kept.mean)) of the tokens (\(percent(kept.min)) to \(percent(kept.max)) in a head)",
        ])
        table.add([
            "stored",
            "\(storedBytes.grouped) bytes, \(String(format: "%.2f", ratio))x smaller than f16 "
                + "(\(f16Bytes.grouped)), \(String(format: "%.2f", bitsPerValue)) bits per value",
        ])
        for (name, bytes) in components.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) })
        where bytes > 0 {
            let spaces = String(repeating: " ", count: max(0, 14 - name.count))
            table.add([
                "", "\(name.replacingOccurrences(of: "_", with: " "))\(spaces)\(bytes.grouped)",
            ])
        }
        table.add(["resident", "\(residentBytes.grouped) bytes, with padding"])
        if let file { table.add(["file", file]) }
        if mappedBytes > 0 {
            table.add(["mapped", "\(mappedBytes.grouped) bytes in files, with padding"])
        }
        table.add([
            "peak",
            "\(peakBytes.grouped) bytes while compressing, in \(String(format: "%.3f", seconds)) s",
        ])
        for remark in remarks { table.add(["remark", remark]) }
        return table.text
    }
}

/// A share as 25.0%.
func percent(_ share: Double) -> String { String(format: "%.1f%%", 100 * share) }
