extension Comparison {
    /// Plans from which a newcomer learns something: the full cache, controls, evictions alone, with one
    /// token set per layer and with KVCrush, quantizers, and combinations at 8x and 16x, merged and fitted
    /// ones among them.
    public static let defaultPlans = [
        "f16",
        "random(budget=25%)",
        "random(budget=25%, tokens=layer)",
        "streaming(budget=25%)",
        "h2o(budget=25%)",
        "h2o(budget=25%, tokens=layer)",
        "h2o(budget=25%) | kvcrush(share=25%)",
        "snapkv(budget=25%)",
        "snapkv(budget=25%, tokens=layer)",
        "snapkv(budget=25%) | kvcrush(share=25%)",
        "keydiff(budget=25%)",
        "keydiff(budget=25%, tokens=layer)",
        "keydiff(budget=25%) | kvcrush(share=25%)",
        "q8",
        "q4",
        "q4(rotate=hadamard)",
        "streaming(budget=43%) | q4",
        "snapkv(budget=43%) | kvcrush(share=25%) | q4",
        "snapkv(budget=43%, tokens=layer) | q4(rotate=values)",
        "kvmerger(budget=38%, recent=5%, heavy=2%) | q4",
        "snapkv(budget=38%) | q4 | fit",
        "kvmerger(budget=38%, recent=5%, heavy=2%) | q4 | fit",
        "streaming(budget=21%) | q4",
        "snapkv(budget=21%) | kvcrush(share=25%) | q4",
        "kvmerger(budget=19%, recent=5%, heavy=2%) | q4 | fit",
    ]
}
