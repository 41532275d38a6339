import Foundation

/// A Llama-family model in plain loops of double precision, from the papers: it reads a whole text at once.
struct ReferenceModel {
    var width = 64
    var layers = 2
    var heads = 4
    var kvHeads = 2
    var keyDim = 16
    var inner = 96
    var vocabulary = 40
    var theta = 10000.0
    var epsilon = 1e-5
    /// Whether neighbours are turned together (GGUF's llama), or i and i + dim / 2.
    var interleaved = false
    /// Divisors of the frequencies, one per pair.
    var factors: [Double]?
    /// Tensors by GGUF name, row after row.
    var tensors: [String: [Float]] = [:]

    /// Shapes by GGUF name, slowest dimension first; biases and the head are optional.
    func shapes(biases: Bool, head: Bool) -> [(name: String, shape: [Int])] {
        var all = [("token_embd.weight", [vocabulary, width]), ("output_norm.weight", [width])]
        if head { all.append(("output.weight", [vocabulary, width])) }
        for layer in 0..<layers {
            let linear = [
                ("attn_q", heads * keyDim, width), ("attn_k", kvHeads * keyDim, width),
                ("attn_v", kvHeads * keyDim, width), ("attn_output", width, heads * keyDim),
                ("ffn_gate", inner, width), ("ffn_up", inner, width), ("ffn_down", width, inner),
            ]
            for (name, rows, columns) in linear {
                all.append(("blk.\(layer).\(name).weight", [rows, columns]))
                if biases, ["attn_q", "attn_k", "attn_v"].contains(name) {
                    all.append(("blk.\(layer).\(name).bias", [rows]))
                }
            }
            all += ["attn_norm", "ffn_norm"].map { ("blk.\(layer).\($0).weight", [width]) }
        }
        return all
    }

    /// -log p of every token but the first.
    func likelihoods(_ tokens: [Int]) -> [Double] {
        var streams = tokens.map { row("token_embd.weight", $0, width) }
        for layer in 0..<layers {
            func name(_ part: String) -> String { "blk.\(layer).\(part)" }
            let inputs = streams.map { norm($0, name("attn_norm")) }
            let queries = inputs.enumerated().map { turned(linear($1, name("attn_q")), at: $0) }
            let keys = inputs.enumerated().map { turned(linear($1, name("attn_k")), at: $0) }
            let values = inputs.map { linear($0, name("attn_v")) }
            for token in tokens.indices {
                var output: [Double] = []
                for head in 0..<heads {
                    let shared = head / (heads / kvHeads) * keyDim
                    let logits = (0...token).map { other in
                        (0..<keyDim).reduce(0) {
                            $0 + queries[token][head * keyDim + $1] * keys[other][shared + $1]
                        } / Double(keyDim).squareRoot()
                    }
                    let weights = logits.map { exp($0) }
                    let sum = weights.reduce(0, +)
                    output += (0..<keyDim).map { element in
                        (0...token).reduce(0) {
                            $0 + weights[$1] / sum * values[$1][shared + element]
                        }
                    }
                }
                streams[token] = sum(streams[token], linear(output, name("attn_output")))
                let inputs = norm(streams[token], name("ffn_norm"))
                let up = linear(inputs, name("ffn_up"))
                let inner = linear(inputs, name("ffn_gate")).enumerated().map {
                    $1 / (1 + exp(-$1)) * up[$0]
                }
                streams[token] = sum(streams[token], linear(inner, name("ffn_down")))
            }
        }
        let head = tensors["output.weight"] == nil ? "token_embd" : "output"
        return zip(streams, tokens.dropFirst()).map { stream, next in
            let logits = linear(norm(stream, "output_norm"), head)
            return log(logits.reduce(0) { $0 + exp($1) }) - logits[next]
        }
    }

    private func row(_ name: String, _ index: Int, _ count: Int) -> [Double] {
        tensors[name]![index * count..<(index + 1) * count].map(Double.init)
    }

    private func linear(_ input: [Double], _ name: String) -> [Double] {
        let matrix = tensors[name + ".weight"]!, bias = tensors[name + ".bias"]
        return (0..<matrix.count / input.count).map { row in
            input.indices.reduce(Double(bias?[row] ?? 0)) {
                $0 + Double(matrix[row * input.count + $1]) * input[$1]
            }
        }
    }

    private func norm(_ input: [Double], _ name: String) -> [Double] {
        let mean = input.reduce(0) { $0 + $1 * $1 } / Double(input.count)
        return input.indices.map {
            input[$0] / (mean + epsilon).squareRoot() * Double(tensors[name + ".weight"]![$0])
        }
    }

    private func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

    private func turned(_ rows: [Double], at position: Int) -> [Double] {
        var result = rows
        for head in 0..<rows.count / keyDim {
            for pair in 0..<keyDim / 2 {
                let first = head * keyDim + (interleaved ? 2 * pair : pair)
                let second = interleaved ? first + 1 : first + keyDim / 2
                let frequency = pow(theta, -2 * Double(pair) / Double(keyDim))
                let angle = Double(position) * frequency / (factors?[pair] ?? 1)
                result[first] = rows[first] * cos(angle) - rows[second] * sin(angle)
                result[second] = rows[first] * sin(angle) + rows[second] * cos(angle)
            }
        }
        return result
    }
}
