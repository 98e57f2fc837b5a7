internal import Glibc

/// Reads lines of a file or of standard input, a piece at a time.
struct LineReader {
    /// Bytes of one line; a longer one is passed over.
    static let lineLimitBytes = 64 << 20
    private static let pieceBytes = 256 << 10

    enum Line {
        case bytes([UInt8])
        /// The line was longer than the limit.
        case tooLong
    }

    private let descriptor: Int32
    private let lineLimit: Int
    private var buffer: [UInt8] = []
    /// Where the next line starts in `buffer`.
    private var start = 0
    /// Up to where no line feed was found.
    private var searched = 0
    private var isAtEnd = false
    private var isPassingOver = false

    /// - Parameter descriptor: Stays the caller's to close.
    init(_ descriptor: Int32, lineLimit: Int = lineLimitBytes) {
        self.descriptor = descriptor
        self.lineLimit = lineLimit
    }

    /// Whether the next line is here already, or the end is: asking for it does not wait.
    var hasLine: Bool { isAtEnd || buffer[searched...].contains(UInt8(ascii: "\n")) }

    /// The next line without its line feed; nil at the end.
    ///
    /// - Throws: What to tell the person whose file it is.
    mutating func next() throws(ReadFailure) -> Line? {
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { step(behind: end) }
                if isPassingOver || end - start > lineLimit {
                    isPassingOver = false
                    return .tooLong
                }
                return .bytes(Array(buffer[start..<end]))
            }
            searched = buffer.count
            if searched - start > lineLimit {
                isPassingOver = true
                buffer.removeAll(keepingCapacity: true)
                start = 0
                searched = 0
            }
            if isAtEnd { return last() }
            try fill()
        }
    }

    private mutating func step(behind end: Int) {
        start = end + 1
        searched = start
    }

    /// What stands behind the last line feed.
    private mutating func last() -> Line? {
        defer {
            start = buffer.count
            isPassingOver = false
        }
        if isPassingOver { return .tooLong }
        return start < buffer.count ? .bytes(Array(buffer[start...])) : nil
    }

    private mutating func fill() throws(ReadFailure) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            searched -= start
            start = 0
        }
        let count = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.pieceBytes))
        while true {
            let read = buffer.withUnsafeMutableBytes { bytes in
                Glibc.read(descriptor, bytes.baseAddress! + count, Self.pieceBytes)
            }
            if read < 0, errno == EINTR { continue }
            buffer.removeSubrange((count + max(0, read))...)
            guard read >= 0 else { throw ReadFailure(message: "cannot read: \(String(cString: strerror(errno)))") }
            isAtEnd = read == 0
            return
        }
    }
}
