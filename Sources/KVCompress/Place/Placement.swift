/// Says where a layer's rows live, and which entries a query reads.
///
/// Everything is scored; what is not chosen is not read further.
protocol Placement: StageMethod {
    /// The first layer that it places; those before it stay in memory and are read whole.
    var first: Int { get }

    /// Whether values live in a mapped file.
    var mapsValues: Bool { get }

    /// Whether attention is over the chosen entries alone; otherwise the others count in the sum by
    /// which weights are divided, and only their values are left out.
    var renormalizes: Bool { get }

    /// Chooses the entries that each query row reads.
    func choose(_ choice: EntryChoice, workers: Workers)
}

extension Placement {
    static var method: MethodDescription { method(.place) { $1.placement = $0 } }

    var first: Int { 0 }
    var mapsValues: Bool { false }
}

extension Plan {
    /// What a layer's entries are chosen by when they are read; nil when they are read whole.
    func placement(of layer: Int) -> (any Placement)? {
        placement.flatMap { layer >= $0.first ? $0 : nil }
    }
}
