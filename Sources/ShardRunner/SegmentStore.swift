public import Iceberg
public import Pipeline
public import TraceBuffering

/// Where full segments of the buffers go while their traces are undecided.
///
/// One thread uses it; calls block. Nothing in it needs to survive the process: the log has every span, and what an
/// earlier life left is deleted at the start.
public protocol SegmentStore {
    /// Writes a whole segment under a new name.
    ///
    /// - Returns: Bytes that it takes on disk.
    /// - Throws: `full` when there is no space; nothing of it is left then.
    func write(_ name: String, _ segment: SealedSegment) throws(FileError) -> Int
    /// Exactly these bytes of a written segment.
    func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8]
    /// Succeeds also when it was not there.
    func remove(_ name: String) throws(FileError)
    /// Removes every segment, of whatever life.
    func removeAll() throws(FileError)
    /// Of the file system that holds the segments.
    func space() throws(FileError) -> DiskSpace
}
