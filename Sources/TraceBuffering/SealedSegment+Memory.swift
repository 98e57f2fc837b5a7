/// A full segment to write to disk. It stays in memory until `TraceBuffer.written` is called for it.
///
/// Another thread may read the bytes from the moment `sealed` returned this value until the owner of the buffer
/// calls `written`: nobody writes to them meanwhile. After `written` the memory takes other messages, so the value
/// must not be read any more. It keeps the memory alive by itself: a buffer may go away while a write is under way.
public struct SealedSegment: Sendable {
    public let id: SegmentID
    /// Bytes that hold something. Offsets of a `SegmentRead` count from the first of them.
    public let byteCount: Int
    private let memory: SegmentMemory

    init(id: SegmentID, byteCount: Int, memory: SegmentMemory) {
        self.id = id
        self.byteCount = byteCount
        self.memory = memory
    }

    /// A copy of the bytes, for tests.
    public var bytes: [UInt8] { withBytes { Array($0) } }

    /// The bytes in place, for the length of the call.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(rebasing: memory.bytes[..<byteCount]))
    }

    /// The bytes in place for a direct write: the address and the count are multiples of
    /// `SegmentMemory.blockBytes`; what lies behind `byteCount` is zero.
    public func withBlocks<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(rebasing: memory.bytes[..<SegmentMemory.wholeBlocks(byteCount)]))
    }
}

/// The memory of one segment, used again and again by the buffer that made it.
///
/// The class frees it when the last reference goes: the buffer's own, or that of a sealed segment being written.
// Proof of Sendable: the buffer writes only while no sealed segment refers to the memory, or after `written` ended
// the other side's right to read; the hand-over between threads is the caller's, by lock or mailbox.
public final class SegmentMemory: @unchecked Sendable {
    /// What direct writes want addresses, offsets and sizes to be multiples of.
    public static let blockBytes = 4096

    /// A whole number of blocks, aligned to one.
    let memory: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.wholeBlocks(byteCount), alignment: Self.blockBytes)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

    static func wholeBlocks(_ byteCount: Int) -> Int {
        (byteCount + blockBytes - 1) / blockBytes * blockBytes
    }
}
