internal import TraceModel

/// Where the record of a span lies: low bits of the segment's number, and a position in 16 bytes. 0: nowhere.
///
///     │ segment, 20 bits │ position / 16, 28 bits │
struct Link: Equatable {
    var rawValue: UInt64

    static let none = Link(rawValue: 0)
    static let positionBits: UInt64 = 28
    /// Segments between the oldest that is needed and the newest, so that the low bits tell them apart.
    static let segmentWindow: UInt64 = 1 << 20

    @inline(__always) init(rawValue: UInt64) { self.rawValue = rawValue }

    @inline(__always) init(segment: UInt64, position: Int) {
        rawValue = (segment & (Self.segmentWindow - 1)) << Self.positionBits | UInt64(position) >> 4
    }

    @inline(__always) var segmentBits: UInt64 { rawValue >> Self.positionBits }
    @inline(__always) var position: Int { Int(rawValue & (1 << Self.positionBits - 1)) << 4 }
}

/// A segment's bytes: frames, one for each message, each at a multiple of 16.
///
///     ┌────────┬─────────┬────────┬─────┬─────────┬──────┬──────┬─────────┬──────┬
///     │ header │ message │ merged │ pad │ context │ span │ span │ context │ span │ …
///     └────────┴─────────┴────────┴─────┴─────────┴──────┴──────┴─────────┴──────┴
///       32 B     as sent   fields        48 B      48 B             again after 64 spans,
///                          put together                             so that it is always near
enum FrameLayout {
    static let headerBytes = 32
    static let recordBytes = 48
    /// A context is repeated after so many spans.
    static let contextReach = 64

    @inline(__always) static func aligned(_ byteCount: Int) -> Int { (byteCount + 15) & ~15 }

    @inline(__always) static func recordsOffset(messageBytes: Int, mergedBytes: Int) -> Int {
        aligned(headerBytes + messageBytes + mergedBytes)
    }
}

/// The first bytes of a frame.
struct FrameHeader {
    var messageBytes: UInt32
    var mergedBytes: UInt32
    var recordCount: UInt32
    var spanCount: UInt32
    /// Of the message in its partition.
    var offset: Int64
    var unused: UInt64 = 0
}

/// What neighbouring spans of a message share. Ranges are relative to the message.
struct ContextRecord {
    var offset: Int64
    /// Position of the frame in the segment / 16.
    var frame: UInt32
    var kind = RecordKind.context
    var resource: ByteRange
    var scope: ByteRange
    var resourceSchemaURL: ByteRange
    var scopeSchemaURL: ByteRange

    @inline(__always) func describes(_ record: SpanRecord) -> Bool {
        resource == record.resource && scope == record.scope && resourceSchemaURL == record.resourceSchemaURL
            && scopeSchemaURL == record.scopeSchemaURL
    }
}

/// One buffered span.
struct PlaceRecord {
    /// The span of the same trace before this one.
    var previous: Link
    var spanID: SpanID
    var span: ByteRange
    var index: UInt32
    var kind = RecordKind.span
    /// Of its trace.
    var slot: UInt32
    /// Low bits of the trace id: a chain that leads astray is noticed.
    var check: UInt32
    /// How many records before this one its context lies.
    var contextDistance: UInt32
    var unused: UInt32 = 0
}

/// Tells the two apart, and both from chance.
enum RecordKind {
    static let span: UInt32 = 0x5053_7373
    static let context: UInt32 = 0x7843_7373
}

/// Bytes of a segment that are at hand: of the segment itself, or read back. Every access is checked.
struct SegmentBytes {
    private let bytes: UnsafeRawBufferPointer
    /// Position in the segment of the first byte.
    let start: Int

    /// The caller keeps the bytes alive and unchanged while it uses the value.
    init(_ bytes: UnsafeRawBufferPointer, start: Int = 0) {
        self.bytes = bytes
        self.start = start
    }

    func contains(_ position: Int, _ byteCount: Int) -> Bool {
        position >= start && byteCount >= 0 && position - start <= bytes.count - byteCount
    }

    func place(at position: Int) -> PlaceRecord? {
        guard contains(position, FrameLayout.recordBytes) else { return nil }
        let record = bytes.loadUnaligned(fromByteOffset: position - start, as: PlaceRecord.self)
        return record.kind == RecordKind.span ? record : nil
    }

    func context(at position: Int) -> ContextRecord? {
        guard contains(position, FrameLayout.recordBytes) else { return nil }
        let record = bytes.loadUnaligned(fromByteOffset: position - start, as: ContextRecord.self)
        return record.kind == RecordKind.context ? record : nil
    }

    func header(at position: Int) -> FrameHeader? {
        guard contains(position, FrameLayout.headerBytes) else { return nil }
        return bytes.loadUnaligned(fromByteOffset: position - start, as: FrameHeader.self)
    }

    /// The bytes of a range that is contained.
    func append(_ position: Int, _ byteCount: Int, to arena: inout [UInt8]) {
        precondition(contains(position, byteCount), "BUF-3: a range lies in its segment")
        arena.append(
            contentsOf: UnsafeRawBufferPointer(rebasing: bytes[position - start..<position - start + byteCount]))
    }

    /// Borrowed bytes of a range that is contained, for the length of the call.
    func withRange(_ position: Int, _ byteCount: Int, _ body: (borrowing RawSpan) -> Void) {
        precondition(contains(position, byteCount), "BUF-3: a range lies in its segment")
        body(UnsafeRawBufferPointer(rebasing: bytes[position - start..<position - start + byteCount]).bytes)
    }
}

extension SegmentBytes {
    /// Borrowed bytes that begin where their segment begins, for the length of the call.
    static func withBytes(of bytes: borrowing RawSpan, _ body: (SegmentBytes) -> Void) {
        bytes.withUnsafeBytes { body(SegmentBytes($0)) }
    }

    /// Bytes that were read back, for the length of the call.
    static func withBytes<Result>(of piece: ReadPiece, _ body: (SegmentBytes) -> Result) -> Result {
        piece.bytes.withUnsafeBytes { body(SegmentBytes($0, start: piece.start)) }
    }
}
