extension [UInt8] {
    /// A copy of borrowed bytes.
    public init(copying bytes: borrowing RawSpan) {
        self = []
        append(copying: bytes)
    }

    mutating func append(copying bytes: borrowing RawSpan) {
        // The pointer lives for this call only; the span's owner is borrowed meanwhile.
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}
