/// The encode stage as a plan writes it.
extension EncodeConfiguration: CustomStringConvertible {
    private enum Rotation: String, CaseIterable { case none, hadamard, keys, values }
    private enum Mode: String, CaseIterable { case symmetric, asymmetric }

    /// What stays in f16, of any encode stage.
    static let kept = [
        ParameterDescription(
            "window",
            .count(0...Int.max),
            default: "0",
            "the newest entries of every head stay in f16"
        ),
        ParameterDescription(
            "protect",
            .count(0...Int.max),
            default: "0",
            "this many layers at each end stay in f16"
        ),
    ]
    static let group = ParameterDescription(
        "group",
        .words(["32", "64", "128"]),
        default: "32",
        "codes under one scale"
    )
    private static let mode = ParameterDescription(
        "mode",
        .words(Mode.self),
        default: "symmetric",
        "codes around 0, or above a stored minimum"
    )
    private static func axis(_ name: String, _ summary: String) -> ParameterDescription {
        ParameterDescription(
            name,
            .words(CodecConfiguration.Axis.self),
            default: "per-token",
            summary
        )
    }

    private static let quantized =
        [
            group, axis("keys", "what shares a scale among keys"),
            axis("values", "what shares a scale among values"),
            ParameterDescription(
                "rotate",
                .words(Rotation.self),
                default: "none",
                "what is Hadamard-rotated; hadamard is both"
            ),
            mode,
        ] + kept
    /// What a quantized codec inside `kv` takes.
    private static let nested = [
        group, axis("axis", "what shares a scale"),
        ParameterDescription(
            "rotate",
            .words(["none", "hadamard"]),
            default: "none",
            "a Hadamard rotation"
        ), mode,
    ]
    static let codecs: [ValueKind.Choice] =
        CodecConfiguration.Format.allCases.map { .init($0.rawValue, $0.isQuantized ? nested : []) }
        + [.init("turboquant", TurboQuant.parameters)]
    private static let mixed =
        [
            ParameterDescription("keys", .choice(codecs), default: "f16", "how keys are written"),
            ParameterDescription(
                "values", .choice(codecs), default: "f16", "how values are written"),
        ] + kept

    /// The methods of the stage: one per format, and `kv` for keys and values apart.
    static let methods: [MethodDescription] =
        CodecConfiguration.Format.allCases.map(method) + [
            MethodDescription(
                name: "kv",
                stage: .encode,
                summary: "keys and values each in a codec of their own",
                source: "KIVI, arXiv 2402.02750 (keys per channel, values per token)",
                differs:
                    "KIVI itself is kv(keys=q2(axis=per-channel, mode=asymmetric), "
                    + "values=q2(mode=asymmetric), window=128); codes are symmetric by default",
                needs: [],
                parameters: mixed
            ) { arguments, plan in
                plan.encode = EncodeConfiguration(
                    keys: codec(arguments.choice("keys")),
                    values: codec(arguments.choice("values")),
                    kept: arguments
                )
            },
            TurboQuant.method, ZipCache.method,
        ]

    private static func method(_ format: CodecConfiguration.Format) -> MethodDescription {
        guard format.isQuantized else {
            return MethodDescription(
                name: format.rawValue,
                stage: .encode,
                summary: "keys and values as plain \(format.rawValue)",
                source: "IEEE 754 / bfloat16",
                needs: [],
                parameters: []
            ) { _, plan in
                plan.encode = EncodeConfiguration(keys: .init(format), values: .init(format))
            }
        }
        return MethodDescription(
            name: format.rawValue,
            stage: .encode,
            summary:
                "\(format.rawValue.dropFirst()) bits per number under f16 scales of small groups",
            source:
                "round to nearest in groups; KIVI, arXiv 2402.02750; QuaRot, arXiv 2404.00456 (rotation)",
            differs:
                "symmetric by default; scales are rounded up to f16 before coding, so that an error is at "
                + "most half a step; what does not fill a group of a channel stays f16",
            needs: [],
            parameters: quantized
        ) { arguments, plan in
            var keys = CodecConfiguration(format, arguments), values = keys
            let rotation = arguments.word("rotate", Rotation.self)
            (keys.axis, values.axis) = (arguments.word("keys"), arguments.word("values"))
            keys.rotated = rotation == .hadamard || rotation == .keys
            values.rotated = rotation == .hadamard || rotation == .values
            plan.encode = EncodeConfiguration(keys: keys, values: values, kept: arguments)
        }
    }

    private init(keys: CodecConfiguration, values: CodecConfiguration, kept arguments: Arguments) {
        self.init(keys: keys, values: values)
        keep(arguments)
    }

    mutating func keep(_ arguments: Arguments) {
        (window, protect) = (arguments.count("window"), arguments.count("protect"))
    }

    static func codec(_ choice: (word: String, arguments: Arguments)) -> CodecConfiguration {
        guard let format = CodecConfiguration.Format(rawValue: choice.word) else {
            return TurboQuant.codec(choice.arguments)
        }
        guard format.isQuantized else { return CodecConfiguration(format) }
        var codec = CodecConfiguration(format, choice.arguments)
        codec.axis = choice.arguments.word("axis")
        codec.rotated = choice.arguments.choice("rotate").word == "hadamard"
        return codec
    }

    /// The canonical text: the short form where keys and values share format, group and mode.
    public var description: String {
        var values = ["window": "\(window)", "protect": "\(protect)"]
        if let zipcache {
            return ZipCache.method.text(values.merging(zipcache.settings) { $1 })
        }
        if let turboquant = keys.turboquant, keys == self.values {
            return TurboQuant.method.text(values.merging(turboquant.settings(keys)) { $1 })
        }
        let alike =
            keys.format == self.values.format && keys.group == self.values.group
            && keys.asymmetric == self.values.asymmetric
            && keys.turboquant == nil && self.values.turboquant == nil
        if alike, keys.format.isQuantized {
            values["group"] = "\(keys.group)"
            values["mode"] = keys.mode
            values["keys"] = keys.axis.rawValue
            values["values"] = self.values.axis.rawValue
            let rotation: Rotation =
                keys.rotated
                ? (self.values.rotated ? .hadamard : .keys)
                : (self.values.rotated ? .values : .none)
            values["rotate"] = rotation.rawValue
            return Self.quantized.text(keys.format.rawValue, values)
        }
        if alike, window == 0, protect == 0 { return keys.format.rawValue }
        values["keys"] = Self.text(keys)
        values["values"] = Self.text(self.values)
        return Self.mixed.text("kv", values)
    }

    static func text(_ codec: CodecConfiguration) -> String {
        codec.turboquant.map { TurboQuant.parameters.text("turboquant", $0.settings(codec)) }
            ?? codec.text(nested)
    }
}

extension CodecConfiguration {
    fileprivate init(_ format: Format, _ arguments: Arguments) {
        self.init(format)
        group = Int(arguments.choice("group").word)!
        asymmetric = arguments.choice("mode").word == "asymmetric"
    }

    fileprivate var mode: String { asymmetric ? "asymmetric" : "symmetric" }

    fileprivate func text(_ parameters: [ParameterDescription]) -> String {
        guard format.isQuantized else { return format.rawValue }
        return parameters.text(
            format.rawValue,
            [
                "group": "\(group)", "axis": axis.rawValue, "rotate": rotated ? "hadamard" : "none",
                "mode": mode,
            ]
        )
    }
}
