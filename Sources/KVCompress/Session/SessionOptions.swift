public import Foundation

/// How a session keeps a plan's promises.
public struct SessionOptions: Sendable {
    /// The threads that compressing uses, and attention unless its own options say otherwise.
    public var workers: Workers = .caller
    /// The level of the kernels.
    ///
    /// Results do not depend on it.
    public var instructionSet: InstructionSet = .best
    /// Where memory comes from.
    public var allocator = Allocator()
    /// Where placements keep files, which never show up there by name.
    public var directory: URL = FileManager.default.temporaryDirectory
    /// Tokens that may stand uncompressed behind the plan's window before they are: at least 1.
    ///
    /// With an eviction or a merge the plan is applied again every so many tokens: 1 is a choice per step, as
    /// H2O's paper has it. Rows that are only encoded wait for whole blocks of 64 all the same. Nil: 64, or an
    /// eighth of what the plan keeps if that is more, so that work per token does not grow with the cache.
    public var interval: Int?
    /// The newest queries that are kept for what the plan observes; nil keeps all since the last compression.
    public var observe: Int?
    /// Whether queries are kept even if the plan observes none, so that another plan may take over.
    public var keepsQueries = false
    /// Tokens that each layer's queries see, their own included; nil sees all.
    ///
    /// Empty: no layer has a sliding window. Otherwise one number for every layer.
    public var slidingWindows: [Int?] = []
    /// What the keys' rotation is, as in a dump's metadata: `rope_theta`, `rope_style`, `rope_dims`.
    ///
    /// Needed by methods that undo it, and to shift positions.
    public var metadata: [String: String] = [:]

    /// The caller's thread, the best kernels, intervals of 64 tokens or an eighth.
    public init() {}

    /// Tokens that a layer's queries see; nil: all.
    func window(of layer: Int) -> Int? { slidingWindows.isEmpty ? nil : slidingWindows[layer] }

    var compression: CompressionOptions {
        CompressionOptions(
            workers: workers, instructionSet: instructionSet, allocator: allocator,
            directory: directory)
    }
}
