/// TurboQuant as a plan writes it, alone or inside `kv`.
extension TurboQuant {
    static let parameters = [
        ParameterDescription("bits", .words(["4", "3", "2"]), default: "4", "bits of a code"),
        ParameterDescription(
            "rotate", .words(Rotation.self), default: "hadamard",
            "random signs and Hadamard, or a random orthogonal matrix, which is stored"),
        ParameterDescription(
            "seed", .count(0...Int.max), default: "0", "another seed, another rotation"),
    ]

    static let method = MethodDescription(
        name: "turboquant", stage: .encode,
        summary: "a norm for each rotated row, and its coordinates in a Lloyd-Max codebook",
        source: "TurboQuant, arXiv 2504.19874, section 3.1 (the mse form)",
        differs:
            "the mse form without the second stage for inner products; rotate=hadamard with "
            + "random signs needs no stored matrix, qr is the paper's",
        needs: [],
        parameters: parameters + EncodeConfiguration.kept
    ) { arguments, plan in
        var encode = EncodeConfiguration(keys: codec(arguments), values: codec(arguments))
        encode.keep(arguments)
        plan.encode = encode
    }

    /// The codec that the arguments describe.
    static func codec(_ arguments: Arguments) -> CodecConfiguration {
        var turboquant = TurboQuant()
        turboquant.rotation = arguments.word("rotate")
        turboquant.seed = arguments.count("seed")
        return .turboquant(bits: Int(arguments.choice("bits").word)!, turboquant)
    }

    /// The values of the parameters of a codec that has this form.
    func settings(_ codec: CodecConfiguration) -> [String: String] {
        [
            "bits": "\(codec.format.codeBits!)", "rotate": rotation.rawValue, "seed": "\(seed)",
        ]
    }
}
