import KVCompress

/// What a pointer leads to, unless it is NULL.
func present<Pointer>(_ pointer: Pointer?, _ name: String) throws -> Pointer {
    guard let pointer else { throw ArgumentError("\(name) is NULL") }
    return pointer
}

/// The text at a pointer.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let text = String(validatingCString: try present(pointer, name)) else {
        throw ArgumentError("\(name) is not UTF-8")
    }
    return text
}

/// A size as C gave it: what does not fit an `Int` arrives as a negative one.
func checked(_ size: Int, _ name: String, in range: ClosedRange<Int>) throws -> Int {
    guard range.contains(size) else {
        throw ArgumentError("\(name) is \(UInt(bitPattern: size)); expected \(range)")
    }
    return size
}

/// Rows of several heads in memory of the caller's.
struct RowBlock {
    let heads: Int
    let tokens: Int
    let dim: Int
    let tokensFirst: Bool

    /// Elements from a head's row to its next.
    private var stride: Int { tokensFirst ? heads * dim : dim }
    /// The first element of a head's first row.
    private func start(_ head: Int) -> Int { tokensFirst ? head * dim : head * tokens * dim }

    /// The memory that starts at an address, once it is known that there can be as much.
    private func bytes(at address: UnsafeRawPointer?, _ name: String) throws
        -> UnsafeRawBufferPointer
    {
        let address = try present(address, name)
        guard UInt(bitPattern: address) % UInt(MemoryLayout<Float>.alignment) == 0 else {
            throw ArgumentError("\(name) are not aligned to float")
        }
        var size = MemoryLayout<Float>.stride
        for factor in [heads, tokens, dim] {
            let (product, overflow) = size.multipliedReportingOverflow(by: factor)
            guard !overflow else { throw tooLarge(name) }
            size = product
        }
        guard !UInt(bitPattern: address).addingReportingOverflow(UInt(size)).overflow else {
            throw tooLarge(name)
        }
        return UnsafeRawBufferPointer(start: address, count: size)
    }

    private func tooLarge(_ name: String) -> ArgumentError {
        ArgumentError("\(name) of \(heads) heads x \(tokens) tokens x \(dim) do not fit in memory")
    }

    /// Views of the rows, one for each head, to be used before the call returns.
    func view(
        _ values: UnsafePointer<Float>?, _ name: String, keptBy owner: AnyObject
    ) throws -> [Rows] {
        let storage = Storage(unsafeBytes: try bytes(at: values, name), keptBy: owner)
        return (0..<heads).map { head in
            Rows(
                storage: storage, byteOffset: start(head) * MemoryLayout<Float>.stride,
                format: .f32, count: tokens, dim: dim, stride: stride)
        }
    }

    /// Checks memory that rows will be written to.
    func room(_ values: UnsafeMutablePointer<Float>?, _ name: String) throws
        -> UnsafeMutablePointer<Float>
    {
        _ = try bytes(at: values, name)
        return try present(values, name)
    }

    /// Writes packed rows of every head.
    func write(_ outputs: [[Float]], to room: UnsafeMutablePointer<Float>) {
        for (head, output) in outputs.enumerated() {
            output.withUnsafeBufferPointer { rows in
                guard let first = rows.baseAddress else { return }
                for token in 0..<tokens {
                    (room + start(head) + token * stride).update(
                        from: first + token * dim, count: dim)
                }
            }
        }
    }
}
