public import Foundation
public import KVCompress

/// A safetensors file: named tensors in one flat file, described by a JSON header.
///
/// Nothing in the header is believed before it is checked: a value of this type describes tensors that
/// lie inside the file, fill its data section without overlap or gap, and have the size that their
/// shapes need.
public struct Safetensors: Sendable {
    /// How the numbers of a tensor are stored, in the format's own words.
    public enum DataType: String, Sendable, CaseIterable {
        case bool = "BOOL"
        case u8 = "U8"
        case i8 = "I8"
        case f8e5m2 = "F8_E5M2"
        case f8e4m3 = "F8_E4M3"
        case i16 = "I16"
        case u16 = "U16"
        case f16 = "F16"
        case bf16 = "BF16"
        case i32 = "I32"
        case u32 = "U32"
        case f32 = "F32"
        case i64 = "I64"
        case u64 = "U64"
        case f64 = "F64"

        /// Bytes of one element.
        public var byteCount: Int {
            switch self {
            case .bool, .u8, .i8, .f8e5m2, .f8e4m3: 1
            case .i16, .u16, .f16, .bf16: 2
            case .i32, .u32, .f32: 4
            case .i64, .u64, .f64: 8
            }
        }
    }

    /// What the header says of one tensor.
    public struct Tensor: Hashable, Sendable {
        /// The tensor's name.
        public let name: String
        /// How its numbers are stored.
        public let dataType: DataType
        /// Its dimensions, slowest first.
        public let shape: [Int]
        /// Where its bytes lie in the file.
        public let bytes: Range<Int>
    }

    /// The largest header that is read, as in the reference implementation.
    public static let headerLimit = 100_000_000

    /// The mapped file.
    public let file: MappedFile
    /// The tensors by name.
    public let tensors: [String: Tensor]
    /// The strings under `__metadata__`.
    public let metadata: [String: String]

    /// Maps a file and checks its header; reads no tensor.
    ///
    /// - Throws: `FileError` that names the tensor or the byte that is wrong.
    public init(_ url: URL) throws(FileError) {
        file = try MappedFile(url)
        (tensors, metadata) = try SafetensorsHeader.read(file)
    }

    /// A tensor's bytes in the mapped file.
    public func storage(of tensor: Tensor) -> Storage { file.storage(tensor.bytes) }
}
