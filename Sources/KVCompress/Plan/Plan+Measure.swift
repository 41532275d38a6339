/// What whoever measures a plan must know of it.
extension Plan {
    /// Layers that a cache should have at least, so that those that share do.
    package var leastLayers: Int { sharer == nil ? 1 : 4 }

    /// Values that a query row reads, those of its highest logits, without making up for the others; nil
    /// where it reads all.
    package var valuesRead: Int? { (placement as? KCache)?.top }

    /// Whether queries choose entries in a way that `valuesRead` does not describe.
    package var choosesOtherwise: Bool { placement != nil && !(placement is KCache) }

    /// Whether a stage looks at queries.
    package var needsQueries: Bool { observesQueries }

    /// Whether every token keeps an entry of its own, which is read.
    package var keepsAll: Bool { eviction == nil && merger == nil && placement == nil }
}
