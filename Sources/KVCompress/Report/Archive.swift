/// A compressed cache taken apart for storage: a text that describes it and the byte runs it owns.
///
/// KVFiles writes archives as `.kvc` containers; the two modules share nothing else.
public struct Archive: Sendable {
    /// One named run of bytes.
    public struct Section: Sendable {
        /// Unique in the archive.
        public let name: String
        /// The bytes.
        public let storage: Storage

        /// Creates a section.
        public init(name: String, storage: Storage) {
            self.name = name
            self.storage = storage
        }
    }

    /// JSON in UTF-8.
    public var manifest: [UInt8]
    /// The byte runs that the manifest refers to by name.
    public var sections: [Section]

    /// Creates an archive.
    public init(manifest: [UInt8], sections: [Section]) {
        self.manifest = manifest
        self.sections = sections
    }
}
