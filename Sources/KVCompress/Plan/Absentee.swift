/// A published method that cannot be had here, and what of it can.
struct Absentee {
    let name: String
    let reason: String
    let piece: String

    init(_ name: String, _ reason: String, _ piece: String) {
        (self.name, self.reason, self.piece) = (name, reason, piece)
    }

    var cells: [String] { [name, reason, piece] }

    static let all = [
        Absentee(
            "APB, arXiv 2502.12085",
            "spreads a prefill over several machines and picks what they pass on with trained heads",
            "`snapkv` picks by score what the trained heads pick; parts of a cache are attended to apart and their states merged"
        ),
        Absentee(
            "TurboRAG, arXiv 2410.07590",
            "needs a model fine-tuned to chunks whose caches were computed apart; others lose accuracy",
            "`.kvc` files keep the caches of chunks, small and ready to attend to"),
        Absentee(
            "RAGServe (METIS), arXiv 2412.10543",
            "schedules the queries of a retrieval service: no property of a cache",
            "none"),
        Absentee(
            "MatryoshkaKV, arXiv 2410.14731",
            "trains its projections by distillation",
            "its start, orthogonal bases from principal components: `lowrank`"),
        Absentee(
            "Palu, arXiv 2407.21118",
            "factors the projection weights of the model, with ranks from calibration",
            "bases of the cache's own rows, and quantization of their coefficients: `lowrank | q4`"
        ),
        Absentee(
            "LoRC, arXiv 2410.03111", "factors the projection weights of the model",
            "the same, without a model"),
        Absentee(
            "Eigen Attention's weight fusion, arXiv 2408.05646",
            "multiplies bases into the model's weights, which a cache does not have",
            "its bases from keys and queries, applied to each query instead: `lowrank`"),
        Absentee(
            "MLA (DeepSeek-V2), arXiv 2405.04434, and TransMLA, arXiv 2502.07864",
            "are architectures, trained or converted with further training",
            "their caches are short rows, which every codec and eviction takes as they are"),
        Absentee(
            "CLA, arXiv 2405.12981", "trains models whose layers share keys and values",
            "`minicache` and `xkv` share between layers of models that were not trained to"),
        Absentee(
            "YOCO, arXiv 2405.05254",
            "trains decoders that share one cache over half of their layers",
            "as for CLA"),
        Absentee(
            "KVQuant, arXiv 2401.18079",
            "calibrates codebooks and thresholds on gradients of the model, and quantizes keys before RoPE",
            "`keys=per-channel` and `turboquant`, whose codebook needs no calibration; `kvc survey` shows channels before RoPE"
        ),
        Absentee(
            "KVTuner, arXiv 2502.04420",
            "searches the bits of layers offline over a calibration set, for a model",
            "`kvc tune` searches plans on one cache and `kvc survey` looks at it; `kv(keys=..., values=..., protect=...)` gives keys more bits than values"
        ),
        Absentee(
            "KVzip, arXiv 2505.23416", "runs the model again, to repeat the text from its cache",
            "`h2o` on a dump whose queries are those of the repetition"),
    ]
}
