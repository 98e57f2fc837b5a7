import Testing
import TraceGenerator
import TraceModel

@testable import TraceBuffering

@Suite struct TraceBufferTests {
    private func sketches(_ count: Int, traces: Int, first: UInt64 = 1, bodyBytes: Int = 20) -> [TestMessage.Sketch] {
        (0..<count).map {
            var sketch = TestMessage.Sketch(
                traceID: TraceID(high: 1, low: UInt64($0 % traces) + first), spanID: SpanID(UInt64($0) + 1))
            sketch.bodyBytes = bodyBytes
            return sketch
        }
    }

    /// Takes the only ripe trace, reading from the disk what has to be read.
    private func takeOnly(
        _ buffer: inout TraceBuffer, at tick: Int64, disk: [SegmentID: [UInt8]] = [:]
    ) throws -> (trace: KeptTrace, reads: Int) {
        var ripe: [RipeTrace] = []
        buffer.ripe(at: StreamTick(tick), limit: 2, into: &ripe)
        try #require(ripe.count == 1)
        guard case .reads(var reads) = buffer.take(ripe[0].handle) else { throw Missing() }
        var count = 0
        while let read = reads.popLast() {
            count += 1
            let bytes = try #require(disk[read.segment])[read.offset..<read.offset + read.byteCount]
            if let trace = buffer.supply(ripe[0].handle, read, Array(bytes)) { return (trace, count) }
            reads += buffer.furtherReads(ripe[0].handle)
        }
        throw Missing()
    }

    private struct Missing: Error {}

    @Test func `a trace of very many spans is taken and read back in steps that grow with it`() throws {
        var limits = BufferLimits()
        limits.spills = true
        limits.bytes = 16 << 20
        var buffer = TraceBuffer(limits: limits)
        let message = TestMessage(sketches(2000, traces: 1))
        var disk: [SegmentID: [UInt8]] = [:]
        let messageCount = 150
        for offset in 0..<messageCount {
            _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
            for segment in buffer.sealed() {
                disk[segment.id] = segment.bytes
                buffer.written(segment.id)
            }
        }
        let (trace, reads) = try takeOnly(&buffer, at: 10_000, disk: disk)
        #expect(trace.spans.count == 2000 * messageCount)
        #expect(trace.spans.map(\.offset) == (0..<messageCount).flatMap { Array(repeating: Int64($0), count: 2000) })
        let record = message.batch.records[1999]
        #expect(trace.contents(of: trace.spans.last!) == message.contents(of: record))
        // A window holds 170 records; those whose context lies before it need the next one.
        #expect(reads < 20 * messageCount, "\(reads) reads")
        #expect(buffer.usedBytes == 0)
    }

    @Test func `a message that is larger than a segment has one of its own`() throws {
        var limits = BufferLimits()
        limits.segmentBytes = 4096
        var buffer = TraceBuffer(limits: limits)
        let small = TestMessage(sketches(1, traces: 1, first: 7))
        let large = TestMessage(sketches(3, traces: 1, bodyBytes: 10_000))
        for (offset, message) in [small, large, small].enumerated() {
            _ = buffer.ingest(
                message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(Int64(offset)))
        }
        #expect(buffer.store.next == 3)
        var ripe: [RipeTrace] = []
        buffer.ripe(at: StreamTick(10_000), limit: 10, into: &ripe)
        #expect(ripe.map(\.summary.traceID.low) == [1, 7])
        guard case .whole(let trace) = buffer.take(ripe[0].handle) else { throw Missing() }
        #expect(trace.spans.map { trace.contents(of: $0) } == large.batch.records.map { large.contents(of: $0) })
        buffer.discard(ripe[1].handle)
        #expect(buffer.usedBytes == 0)
    }

    @Test func `one message may open more traces than there is room for`() {
        var limits = BufferLimits()
        limits.traces = 2
        var buffer = TraceBuffer(limits: limits)
        let capacity = buffer.slots.capacity
        let message = TestMessage(sketches(3 * capacity, traces: 3 * capacity))
        let result = buffer.ingest(message.bytes.span.bytes, message.batch, offset: 5, at: StreamTick(1))
        #expect(result.openedTraces == 3 * capacity)
        let hasRoom = buffer.hasRoom(forBytes: 1)
        #expect(!hasRoom)
        #if DEBUG
            let faults = buffer.invariantFaults()
            #expect(faults == [])
        #endif
        var ripe: [RipeTrace] = []
        buffer.ripe(at: StreamTick(10_000), limit: .max, into: &ripe)
        #expect(ripe.map(\.summary.traceID) == ripe.map(\.summary.traceID).sorted())
        for trace in ripe { buffer.discard(trace.handle) }
        #expect(buffer.traceCount == 0)
        #expect(buffer.usedBytes == 0)
    }

    @Test func `a segment that is being written outlives its traces and its buffer`() throws {
        var limits = BufferLimits()
        limits.spills = true
        limits.segmentBytes = 4096
        let message = TestMessage(sketches(20, traces: 2, bodyBytes: 100))
        func sealed() throws -> (SealedSegment, [UInt8]) {
            var buffer = TraceBuffer(limits: limits)
            for offset in 0..<3 {
                _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
            }
            let segment = try #require(buffer.sealed().first)
            let before = segment.bytes
            var early: [RipeTrace] = []
            buffer.early(limit: 10, into: &early)
            for trace in early { buffer.discard(trace.handle) }
            #expect(buffer.usedBytes > 0, "memory that is being written is in use")
            for offset in 3..<9 {
                _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
            }
            #expect(segment.bytes == before)
            return (segment, before)
        }
        let (segment, bytes) = try sealed()
        #expect(segment.bytes == bytes)
    }

    @Test func `after the last written the memory is used again`() throws {
        var limits = BufferLimits()
        limits.spills = true
        limits.segmentBytes = 4096
        var buffer = TraceBuffer(limits: limits)
        let message = TestMessage(sketches(20, traces: 2, bodyBytes: 100))
        var addresses: Set<Int> = []
        for offset in 0..<100 {
            _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
            for segment in buffer.sealed() {
                segment.withBlocks { blocks in
                    addresses.insert(Int(bitPattern: blocks.baseAddress))
                    #expect(Int(bitPattern: blocks.baseAddress) % SegmentMemory.blockBytes == 0)
                }
                buffer.written(segment.id)
            }
        }
        #expect(addresses.count <= 2)
        #expect(buffer.writtenBytes > 90 * 3000)
    }

    @Test func `a chain that leads into a segment that is gone stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var buffer = TraceBuffer(limits: BufferLimits())
            let message = TestMessage([TestMessage.Sketch(traceID: TraceID(high: 1, low: 1), spanID: SpanID(1))])
            for offset in 0..<4 {
                _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
                buffer.store.sealOpen()
            }
            // As if the trace began later than it did.
            buffer.slots.openings[0].segment = 2
            var early: [RipeTrace] = []
            buffer.early(limit: 1, into: &early)
            _ = buffer.take(early[0].handle)
        }
    }

    @Test func `a drop is forgotten whatever was spilled, and nothing is read`() {
        var limits = BufferLimits()
        limits.spills = true
        limits.segmentBytes = 2000
        var buffer = TraceBuffer(limits: limits)
        let message = TestMessage(sketches(10, traces: 10))
        var onDisk: Set<SegmentID> = []
        for offset in 0..<50 {
            _ = buffer.ingest(message.bytes.span.bytes, message.batch, offset: Int64(offset), at: StreamTick(1))
            for segment in buffer.sealed() {
                onDisk.insert(segment.id)
                buffer.written(segment.id)
            }
        }
        #expect(onDisk.count > 20)
        var ripe: [RipeTrace] = []
        buffer.ripe(at: StreamTick(10_000), limit: 100, into: &ripe)
        for trace in ripe { buffer.discard(trace.handle) }
        #expect(ripe.count == 10)
        let unneeded = Set(buffer.unneededSegments())
        #expect(unneeded == onDisk)
        #expect(buffer.writtenBytes == 0)
    }
}
