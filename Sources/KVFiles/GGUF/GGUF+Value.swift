extension GGUF {
    /// What a metadata key may hold.
    public enum Value: Sendable {
        case unsigned(UInt64)
        case signed(Int64)
        case float(Double)
        case bool(Bool)
        case string(String)
        case array(List)

        /// The number, where it is whole and fits.
        public var integer: Int? {
            switch self {
            case .unsigned(let number): Int(exactly: number)
            case .signed(let number): Int(exactly: number)
            default: nil
            }
        }

        /// The number of any numeric type.
        public var number: Double? {
            switch self {
            case .unsigned(let number): Double(number)
            case .signed(let number): Double(number)
            case .float(let number): number
            default: nil
            }
        }

        /// The text.
        public var string: String? {
            if case .string(let text) = self { text } else { nil }
        }

        /// The truth value.
        public var bool: Bool? {
            if case .bool(let value) = self { value } else { nil }
        }

        /// The list.
        public var list: List? {
            if case .array(let list) = self { list } else { nil }
        }
    }

    /// A list of values of one type, read from the mapped file when asked for.
    public struct List: Sendable {
        let file: MappedFile
        let type: ValueType
        /// How many values there are.
        public let count: Int
        /// Where they lie in the file: checked, strings included.
        let bytes: Range<Int>

        /// The bytes of every string, which are UTF-8 in files that follow the rules; nil if the values are no strings.
        public var strings: [[UInt8]]? {
            guard type == .string else { return nil }
            var position = bytes.lowerBound
            return (0..<count).map { _ in
                let start = position + 8
                position = start + Int(file.bytes.integer(at: position, UInt64.self))
                return Array(file.bytes[start..<position])
            }
        }

        /// The numbers; nil if the values are strings or truth values.
        public var numbers: [Double]? {
            guard let size = type.byteCount, type != .bool else { return nil }
            return (0..<count).map {
                type.value(file.bytes, at: bytes.lowerBound + $0 * size).number ?? .nan
            }
        }
    }

    /// The types of metadata values, as they are numbered in the file.
    enum ValueType: UInt32 {
        case u8, i8, u16, i16, u32, i32, f32, bool, string, array, u64, i64, f64

        /// Bytes of one value; nil where they differ.
        var byteCount: Int? {
            switch self {
            case .u8, .i8, .bool: 1
            case .u16, .i16: 2
            case .u32, .i32, .f32: 4
            case .u64, .i64, .f64: 8
            case .string, .array: nil
            }
        }

        /// The value that lies at an offset; not for strings and arrays.
        func value(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Value {
            switch self {
            case .u8: .unsigned(UInt64(bytes[offset]))
            case .i8: .signed(Int64(bytes.integer(at: offset, Int8.self)))
            case .u16: .unsigned(UInt64(bytes.integer(at: offset, UInt16.self)))
            case .i16: .signed(Int64(bytes.integer(at: offset, Int16.self)))
            case .u32: .unsigned(UInt64(bytes.integer(at: offset, UInt32.self)))
            case .i32: .signed(Int64(bytes.integer(at: offset, Int32.self)))
            case .u64: .unsigned(bytes.integer(at: offset))
            case .i64: .signed(bytes.integer(at: offset))
            case .f32: .float(Double(Float(bitPattern: bytes.integer(at: offset))))
            case .f64: .float(Double(bitPattern: bytes.integer(at: offset)))
            case .bool: .bool(bytes[offset] != 0)
            case .string, .array: preconditionFailure("its length is not known")
            }
        }
    }
}
