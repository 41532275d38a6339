import Foundation

@testable import KVCompress

/// ZipCache's salience by its definition (arXiv 2405.14256, section 4.2).
enum ZipCacheReference {
    /// Per token the mean, over the probe rows that see it, of its attention, and over the group.
    static func salience(_ layer: CacheLayer, head: Int, probes: [Int]) -> [Double] {
        let keys = layer.keys[head], tokens = keys.count
        let queries = layer.queries!, group = queries.count / layer.keys.count
        var sums = [Double](repeating: 0, count: tokens), seen = sums
        for member in head * group..<(head + 1) * group {
            for probe in probes {
                let position = tokens - queries[member].count + probe
                let query = queries[member].row(probe)
                let logits = (0...position).map { token in
                    zip(query, keys.row(token)).reduce(0.0) {
                        $0 + Double($1.0) * Double($1.1)
                    } / Double(keys.dim).squareRoot()
                }
                let top = logits.max()!
                let total = logits.reduce(0) { $0 + exp($1 - top) }
                for token in 0...position {
                    sums[token] += exp(logits[token] - top) / total
                    seen[token] += 1
                }
            }
        }
        return zip(sums, seen).map { $0 / $1 }
    }
}
