extension Survey.Ranks {
    init(of heads: [Spectrum]) {
        most = heads.map { Double($0.dimensions(holding: 0.9)) }.mean
        nearly = heads.map { Double($0.dimensions(holding: 0.99)) }.mean
    }
}

extension Survey.Channels {
    /// From the energies of each head's channels.
    init(of heads: [[Double]]) {
        let sizes = heads.map { energies in
            let sizes = energies.map { $0.squareRoot() }.sorted()
            let median = sizes[(sizes.count - 1) / 2]
            return median > 0 ? sizes.map { $0 / median } : sizes.map { $0 > 0 ? .infinity : 1 }
        }
        spread = sizes.map { $0.last! }.mean
        outliers = sizes.map { Double($0.count { $0 > Survey.outlier }) }.mean
    }
}

extension Observation {
    /// The channels of every layer's keys before RoPE, token t standing at position t.
    func channelsBeforeRoPE() throws(CompressionError) -> [Survey.Channels] {
        let metadata = cache.metadata
        for name in ["rope_theta", "rope_style"] where metadata[name] == nil {
            throw CompressionError(.cache, "the metadata lack \(name)")
        }
        guard metadata["rope_scaling"] == nil else {
            throw CompressionError(
                .cache, "the metadata name a rope_scaling, which is not known here")
        }
        let rope = try RoPE(metadata: metadata)
        guard cache.layers.allSatisfy({ rope.isValid(dim: $0.geometry.keyDim) }) else {
            throw CompressionError(
                .cache, "the metadata name more rope_dims than a key has elements")
        }
        return workers.map(cache.layers.count) { layer in
            Survey.Channels(
                of: self.cache.layers[layer].keys.map { self.energies(of: $0, before: rope) })
        }
    }

    /// The energy of every channel of rows once RoPE is undone.
    private func energies(of rows: Rows, before rope: RoPE) -> [Double] {
        let chunk = max(1, 16384 / rows.dim)
        var energies = [Double](repeating: 0, count: rows.dim)
        for start in stride(from: 0, to: rows.count, by: chunk) {
            let range = start..<min(start + chunk, rows.count)
            var numbers = rows[range].floats()
            rope.undo(
                &numbers, dim: rows.dim, positions: range.map { UInt32($0) }, kernels: kernels)
            for (index, number) in numbers.enumerated() {
                energies[index % rows.dim] += Double(number) * Double(number)
            }
        }
        return energies
    }
}

extension Survey.Magnitudes {
    /// Reads the rows twice: the median is found in the bits of the magnitudes, which are ordered as they are,
    /// first by their upper halves, then by the lower ones.
    init(of heads: [Rows], _ kernels: Kernels) {
        func count(_ place: (UInt32) -> Int?) -> [Int] {
            var counts = [Int](repeating: 0, count: 1 << 16)
            for rows in heads {
                let chunk = max(1, 16384 / rows.dim)
                var numbers = [Float](repeating: 0, count: chunk * rows.dim)
                for start in stride(from: 0, to: rows.count, by: chunk) {
                    let range = start..<min(start + chunk, rows.count)
                    kernels.convert(rows, rows: range, to: &numbers)
                    for index in 0..<range.count * rows.dim {
                        let bits = numbers[index].magnitude.bitPattern
                        largest = max(largest, bits)
                        if let place = place(bits) { counts[place] += 1 }
                    }
                }
            }
            return counts
        }
        var largest: UInt32 = 0
        var rank = (heads.reduce(0) { $0 + $1.count * $1.dim } - 1) / 2
        func find(_ counts: [Int]) -> UInt32 {
            let place = counts.firstIndex { count in
                if rank < count { return true }
                rank -= count
                return false
            }
            return UInt32(place!)
        }
        let upper = find(count { Int($0 >> 16) })
        let lower = find(count { $0 >> 16 == upper ? Int($0 & 0xFFFF) : nil })
        median = Float(bitPattern: upper << 16 | lower)
        self.largest = Float(bitPattern: largest)
    }
}
