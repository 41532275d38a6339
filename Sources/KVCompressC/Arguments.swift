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
struct Shape {
    let heads: Int
    let tokens: Int
    let dim: Int
    let tokensFirst: Bool

    /// How many numbers there are, once it is known that memory from an address on can hold them.
    private func count(at address: UnsafeRawPointer, _ name: String) throws -> Int {
        guard UInt(bitPattern: address) % UInt(MemoryLayout<Float>.alignment) == 0 else {
            throw ArgumentError("\(name) are not aligned to float")
        }
        let (rows, isMany) = heads.multipliedReportingOverflow(by: tokens)
        let (count, isMore) = rows.multipliedReportingOverflow(by: dim)
        let (size, isMost) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        guard !isMany, !isMore, !isMost,
            !UInt(bitPattern: address).addingReportingOverflow(UInt(size)).overflow
        else {
            throw ArgumentError(
                "\(name) of \(heads) heads x \(tokens) tokens x \(dim) do not fit in memory")
        }
        return count
    }

    /// A view of the rows, to be used before the call returns.
    func rows(_ values: UnsafePointer<Float>?, _ name: String) throws -> RowBlock {
        let values = try present(values, name)
        _ = try count(at: values, name)
        return RowBlock(
            unsafe: values, heads: heads, tokens: tokens, dim: dim, tokensFirst: tokensFirst)
    }

    /// Memory that rows will be written to.
    func room(_ values: UnsafeMutablePointer<Float>?, _ name: String) throws
        -> UnsafeMutableBufferPointer<Float>
    {
        let values = try present(values, name)
        return UnsafeMutableBufferPointer(start: values, count: try count(at: values, name))
    }
}
