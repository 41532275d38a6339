public import Foundation

/// A compressed cache decoded to plain numbers, as attention sees it, in safetensors.
public enum Export {
    /// The entries of one kv head.
    public struct Head {
        let count: Int
        let keys: [Float]
        let values: [Float]
        let positions: [Int32]
        let votes: [Float]

        /// Entries in ascending order of position; keys and values packed, row after row.
        ///
        /// Votes are exp of the logit bias: how many tokens an entry stands for. Traps when the arrays
        /// do not have the same number of entries.
        public init(keys: [Float], values: [Float], positions: [Int32], votes: [Float]) {
            count = positions.count
            precondition(votes.count == count)
            precondition(
                count == 0
                    ? keys.isEmpty && values.isEmpty
                    : keys.count % count == 0 && values.count % count == 0)
            precondition(zip(positions, positions.dropFirst()).allSatisfy { $0 <= $1 })
            self.keys = keys
            self.values = values
            self.positions = positions
            self.votes = votes
        }
    }

    /// Writes `layers.{i}.heads.{h}.key` and `.value` `[n, dim]` F32, `.position` `[n]` I32 and `.votes`
    /// `[n]` F32, for `layers[i][h]`.
    ///
    /// - Throws: `FileError` when the file cannot be written.
    public static func write(
        _ layers: [[Head]], metadata: [String: String] = [:], to url: URL
    ) throws(FileError) {
        var tensors: [Safetensors.NewTensor] = []
        for (layer, heads) in layers.enumerated() {
            for (index, head) in heads.enumerated() {
                let name = "layers.\(layer).heads.\(index)"
                func matrix(_ values: [Float]) -> [Int] {
                    [head.count, values.count / max(head.count, 1)]
                }
                tensors += [
                    Safetensors.NewTensor(name: name + ".key", shape: matrix(head.keys), head.keys),
                    Safetensors.NewTensor(
                        name: name + ".value", shape: matrix(head.values), head.values),
                    Safetensors.NewTensor(
                        name: name + ".position", shape: [head.count], head.positions),
                    Safetensors.NewTensor(name: name + ".votes", shape: [head.count], head.votes),
                ]
            }
        }
        try Safetensors.write(tensors, metadata: metadata, to: url)
    }
}
