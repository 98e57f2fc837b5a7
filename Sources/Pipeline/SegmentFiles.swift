public import Iceberg

/// The folder of one partition of the embedded log: a superblock and segments, named without slashes.
///
/// Calls block. Nothing is durable before its `sync`: bytes by `sync`, names by `syncDirectory`. Reads may
/// come from another thread than the one that writes; a file is never written behind its reader's back,
/// only appended to, and a reader asks for bytes below what was synced only.
public protocol SegmentFiles: Sendable {
    /// Every file of the folder, in any order.
    func list() throws(FileError) -> [SegmentFile]
    /// Makes an empty file; `failed` when the name exists.
    func create(_ name: String) throws(FileError)
    /// Writes all bytes at the position; positions grow without holes.
    func write(_ name: String, at position: Int, _ bytes: [UInt8]) throws(FileError)
    /// Bytes written so far survive a power cut on return. After an error nothing is known of them, for ever.
    func sync(_ name: String) throws(FileError)
    /// Names made and removed so far survive a power cut on return.
    func syncDirectory() throws(FileError)
    /// Up to `count` bytes; fewer only at the end of the file.
    func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8]
    /// Cuts the file to a length; recovery only.
    func truncate(_ name: String, to byteCount: Int) throws(FileError)
    /// Succeeds also when it was not there.
    func remove(_ name: String) throws(FileError)
    /// Of the file system that holds the folder.
    func space() throws(FileError) -> DiskSpace
}

/// A file of a partition's folder.
public struct SegmentFile: Sendable, Hashable {
    public var name: String
    public var byteCount: Int

    public init(name: String, byteCount: Int) {
        self.name = name
        self.byteCount = byteCount
    }
}

/// Size of a file system.
public struct DiskSpace: Sendable, Hashable {
    public var totalBytes: Int
    /// What an ordinary user may still write.
    public var availableBytes: Int

    public init(totalBytes: Int, availableBytes: Int) {
        self.totalBytes = totalBytes
        self.availableBytes = availableBytes
    }
}
