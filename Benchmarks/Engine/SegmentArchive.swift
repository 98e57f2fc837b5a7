import Compression
import TraceBuffering

/// Spilled segments, compressed in memory, in the place of a disk: several times as many as fit uncompressed.
struct SegmentArchive {
    /// Decompressed segments at hand: traces that ripen together lie in the same ones.
    private static let cacheLimit = 512

    private var segments: [SegmentID: [UInt8]] = [:]
    private var sizes: [SegmentID: Int] = [:]
    private var cache: [SegmentID: [UInt8]] = [:]
    private var cached: [SegmentID] = []

    mutating func store(_ segment: SealedSegment) {
        let bytes = segment.bytes
        do {
            segments[segment.id] = try Zstd.compress(bytes, level: 1)
        } catch {
            preconditionFailure("a segment does not compress: \(error)")
        }
        sizes[segment.id] = bytes.count
    }

    mutating func remove(_ segment: SegmentID) {
        segments[segment] = nil
        sizes[segment] = nil
        cache[segment] = nil
    }

    mutating func read(_ read: SegmentRead) -> [UInt8] {
        let bytes = cache[read.segment] ?? decompress(read.segment)
        return Array(bytes[read.offset..<read.offset + read.byteCount])
    }

    private mutating func decompress(_ segment: SegmentID) -> [UInt8] {
        guard let compressed = segments[segment], let size = sizes[segment],
            let bytes = try? Zstd.decompress(compressed, limitBytes: size)
        else { preconditionFailure("a segment is read that was not written") }
        if cached.count >= Self.cacheLimit {
            for old in cached.prefix(Self.cacheLimit / 2) { cache[old] = nil }
            cached.removeFirst(Self.cacheLimit / 2)
        }
        cached.append(segment)
        cache[segment] = bytes
        return bytes
    }
}
