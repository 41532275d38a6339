/// ZipCache as a plan writes it.
extension ZipCache {
    private static func bits(
        _ name: String, default text: String, _ summary: String
    ) -> ParameterDescription {
        ParameterDescription(name, .words(["8", "4", "3", "2"]), default: text, summary)
    }

    static let method = MethodDescription(
        name: "zipcache", stage: .encode,
        summary: "tokens of much attention at more bits than the others",
        source: "ZipCache, arXiv 2405.14256, section 4",
        differs:
            "one choice of salient tokens instead of one every 100 generated tokens; groups "
            + "along a channel have a length, so that tokens can be added",
        needs: [.queries],
        parameters: [
            ParameterDescription(
                "salient", .share, default: "60%", "the share of a head's entries at `bits`"),
            bits("bits", default: "4", "bits of a code of salient entries"),
            bits("others", default: "2", "bits of a code of the others"),
            EncodeConfiguration.group,
            ParameterDescription(
                "seed", .count(0...Int.max), default: "0", "another seed, other probe queries"),
        ] + EncodeConfiguration.kept
    ) { arguments, plan in
        func format(_ name: String) -> CodecConfiguration.Format {
            CodecConfiguration.Format(rawValue: "q\(arguments.choice(name).word)")!
        }
        var encode = EncodeConfiguration(
            ZipCache(
                salient: arguments.share("salient"), bits: format("bits"),
                others: format("others"), group: Int(arguments.choice("group").word)!,
                seed: arguments.count("seed")))
        encode.keep(arguments)
        plan.encode = encode
    }

    /// The values of its parameters.
    var settings: [String: String] {
        [
            "salient": "\(salient)", "bits": "\(bits.codeBits!)",
            "others": "\(others.codeBits!)", "group": "\(group)", "seed": "\(seed)",
        ]
    }
}
