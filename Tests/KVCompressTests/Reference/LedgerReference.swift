@testable import KVCompress

/// The bytes of a cache counted from the formats' definitions, entry by entry.
struct LedgerReference {
    var components: [Component: Int] = [:]
    /// Seed and length of the matrices that are stored.
    private var matrices: Set<[Int]> = []

    init(_ cache: CompressedCache) {
        let encode = cache.plan.encode ?? .plain
        let layers = cache.geometry.count
        for (layer, geometry) in cache.geometry.enumerated() {
            let isProtected = layer < encode.protect || layers - 1 - layer < encode.protect
            var lists: Set<[Int32]> = []
            for head in 0..<geometry.kvHeads {
                let positions = cache.entries(layer: layer, head: head).positions
                let n = positions.count
                let plain = CodecConfiguration(.f16)
                let (keys, values) = isProtected ? (plain, plain) : (encode.keys, encode.values)
                let window = isProtected ? 0 : min(encode.window, n)
                let multiple = max(Self.multiple(keys), Self.multiple(values))
                let whole = (n - window) / multiple * multiple
                for (range, side) in [(0..<whole, 0), (whole..<n - window, 1), (n - window..<n, 2)]
                {
                    func codec(_ configured: CodecConfiguration) -> CodecConfiguration {
                        side == 2 || side == 1 && Self.multiple(configured) > 1 ? plain : configured
                    }
                    add(range.count, geometry.keyDim, codec(keys), keys: true)
                    add(range.count, geometry.valueDim, codec(values), keys: false)
                    let part = Array(positions[range])
                    if let first = part.first, part.last! - first != Int32(part.count - 1) {
                        lists.insert(part)
                    }
                }
            }
            components[.positions, default: 0] += lists.reduce(0) { $0 + 4 * $1.count }
        }
        components[.bases] = matrices.reduce(0) { $0 + 2 * $1[1] * $1[1] }
        components = components.filter { $0.value > 0 }
    }

    /// Entries that a codec takes at a time.
    private static func multiple(_ codec: CodecConfiguration) -> Int {
        codec.format.isQuantized && codec.axis == .channel ? codec.group : 1
    }

    private mutating func add(_ n: Int, _ dim: Int, _ codec: CodecConfiguration, keys: Bool) {
        switch codec.format {
        case .f32: components[keys ? .keyRows : .valueRows, default: 0] += n * dim * 4
        case .f16, .bf16: components[keys ? .keyRows : .valueRows, default: 0] += n * dim * 2
        case .q8, .q4, .q3, .q2:
            // Keys lie so many elements to a lane, and rows are padded to that; values are not, but for
            // the third bits of two elements that share a byte.
            let (bits, perLane) = [
                .q8: (8, 4), .q4: (4, 8), .q3: (3, 16), .q2: (2, 16),
            ][codec.format]!
            let padded = keys ? (dim + perLane - 1) / perLane * perLane : dim
            let odd = !keys && bits == 3 ? dim % 2 : 0
            let scales =
                codec.axis == .channel
                ? n / codec.group * dim : n * ((dim + codec.group - 1) / codec.group)
            components[keys ? .keyCodes : .valueCodes, default: 0] +=
                (n * (padded * bits + odd) + 7) / 8
            if n > 0, let turboquant = codec.turboquant, turboquant.rotation == .qr {
                matrices.insert([turboquant.seed, dim])
            }
            let scale: Component =
                codec.turboquant == nil
                ? (keys ? .keyScales : .valueScales) : (keys ? .keyNorms : .valueNorms)
            components[scale, default: 0] += scales * 2
            if codec.asymmetric {
                components[keys ? .keyZeros : .valueZeros, default: 0] += scales * 2
            }
        }
    }
}
