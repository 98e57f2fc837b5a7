import Testing
import TraceGenerator
import TraceModel

@testable import TraceBuffering

/// Outside of the run, so that noting a fault changes nothing of it.
private final class FirstFault {
    var text: String?
}

/// The real buffer and the naive one through the same random steps, with a disk that takes its time.
struct BufferRun: ~Copyable {
    let limits: BufferLimits
    var buffer: TraceBuffer
    var naive: NaiveTraceBuffer
    var random: SeededRandom
    /// Traces of a step, at most; small ones are checked after every step.
    let idCount: Int

    private var offset: Int64 = 100
    private var tick: Int64 = 17_000_000_000
    private var nextSpan: UInt64 = 1
    private var recent: [TraceID] = []
    private var writing: [SealedSegment] = []
    private var disk: [SegmentID: [UInt8]] = [:]
    private var reading: [TraceHandle: Reading] = [:]
    private(set) var decided = 0
    private(set) var readBack = 0
    private(set) var rematched = 0
    private(set) var staleCount = 0
    private let found = FirstFault()
    /// The first thing that is wrong.
    var fault: String? { found.text }

    private struct Reading {
        var reads: [SegmentRead]
        var expected: [NaiveTraceBuffer.Span]
    }

    init(seed: UInt64, limits: BufferLimits, idCount: Int) {
        self.limits = limits
        self.idCount = idCount
        buffer = TraceBuffer(limits: limits)
        naive = NaiveTraceBuffer(limits)
        random = SeededRandom(seed: seed)
    }

    private func expect(_ isRight: Bool, _ text: @autoclosure () -> String) {
        if !isRight, found.text == nil { found.text = text() }
    }

    /// One random step.
    mutating func step() {
        switch random.below(100) {
        case ..<45: ingest()
        case ..<60:
            if random.chance(0.3) { tick += Int64(random.below(8)) }
            ripe(limit: random.chance(0.5) ? random.below(4) : 1000)
        case ..<64: early(limit: random.below(5))
        case ..<70: takeSealed()
        case ..<78: write()
        case ..<90: read()
        case ..<93: deleteUnneeded()
        case ..<94: if random.chance(0.3) { startRematch() }
        default: rematch()
        }
        compare()
    }

    private mutating func compare() {
        expect(buffer.traceCount == naive.traces.count, "\(buffer.traceCount) traces, not \(naive.traces.count)")
        let id = recent.isEmpty ? TraceID(high: 1, low: 1) : random.pick(recent)
        expect(buffer.contains(id) == (naive.traces[id] != nil), "contains \(id)")
        guard random.chance(0.1) || idCount < 20 else { return }
        expect(buffer.spanCount == naive.spanCount, "\(buffer.spanCount) spans, not \(naive.spanCount)")
        if let first = naive.firstDeadline {
            expect((buffer.nextDeadline?.value ?? .max) <= max(first, tick), "nextDeadline after \(first)")
        }
        #if DEBUG
            let faults = buffer.invariantFaults()
            expect(faults.isEmpty, faults.first ?? "")
        #endif
    }

    // MARK: Messages

    private mutating func ingest() {
        tick += Int64(random.below(3))
        if random.chance(0.001) { tick += 1 << 25 }
        offset += random.chance(0.1) ? Int64(random.below(50)) : 1
        if random.chance(0.001) { offset += 1 << 33 }
        let count = random.chance(0.02) ? 60 + random.below(200) : 1 + random.below(6)
        let message = TestMessage(
            (0..<count).map { _ in sketch() }, program: naive.program, mergesLast: random.chance(0.1))
        guard buffer.hasRoom(forBytes: message.bytes.count) else {
            early(limit: 1 + random.below(3))
            return
        }
        let result = buffer.ingest(message.bytes.span.bytes, message.batch, offset: offset, at: StreamTick(tick))
        let opened = naive.ingest(message, offset: offset, at: tick)
        expect(result.openedTraces == opened, "\(result.openedTraces) opened, not \(opened)")
        expect(
            result.takenSpans == message.batch.records.count { $0.route == .buffer }, "\(result.takenSpans) taken")
    }

    private mutating func sketch() -> TestMessage.Sketch {
        if recent.count < idCount || random.chance(0.15) {
            // Ids that agree in a half come up too.
            let id = random.chance(0.3) ? TraceID(high: 5, low: random.next() | 1) : random.traceID()
            if recent.count < idCount { recent.append(id) } else { recent[random.below(idCount)] = id }
        }
        nextSpan += 1
        var sketch = TestMessage.Sketch(traceID: random.pick(recent), spanID: SpanID(nextSpan))
        sketch.isRoot = random.chance(0.2)
        sketch.bodyBytes = random.chance(0.01) ? 3000 : random.below(40)
        sketch.start = 1_780_000_000_000_000_000 + UInt64(random.below(1_000_000_000))
        sketch.end = sketch.start + UInt64(random.below(1_000_000))
        if random.chance(0.01) { sketch.start = random.next() }
        if random.chance(0.01) { sketch.end = random.chance(0.5) ? 0 : random.next() }
        sketch.statusCode = [0, 0, 1, 2, 255][random.below(5)]
        sketch.isSampled = random.chance(0.2)
        if random.chance(0.05) { sketch.randomness = random.next() >> 8 }
        if random.chance(0.1) { sketch.route = random.chance(0.5) ? .settled : .lateKept }
        sketch.resource = random.below(3)
        return sketch
    }

    // MARK: Decisions

    private mutating func ripe(limit: Int) {
        var ripe: [RipeTrace] = []
        let isMore = buffer.ripe(at: StreamTick(tick), limit: limit, into: &ripe)
        let expected = naive.ripe(at: tick, limit: limit)
        expect(isMore == expected.isMore, "more: \(isMore)")
        decide(ripe, expected.traces)
    }

    private mutating func early(limit: Int) {
        var early: [RipeTrace] = []
        buffer.early(limit: limit, into: &early)
        decide(early, naive.early(limit: limit))
    }

    private mutating func decide(_ found: [RipeTrace], _ expected: [(TraceSummary, RipeCause)]) {
        expect(
            found.map(\.summary.traceID) == expected.map(\.0.traceID),
            "order \(found.map(\.summary.traceID)), not \(expected.map(\.0.traceID))")
        guard fault == nil else { return }
        decided += found.count
        for (trace, (summary, cause)) in zip(found, expected) {
            var found = trace.summary
            if trace.isStale {
                staleCount += 1
                (found.matches, found.forceRule) = (summary.matches, summary.forceRule)
            }
            expect(found == summary, "\(found) is not \(summary)")
            expect(trace.cause == cause, "\(trace.cause), not \(cause)")
        }
        for trace in found {
            let spans = naive.remove(trace.summary.traceID)
            if random.chance(0.5) {
                buffer.discard(trace.handle)
                continue
            }
            switch buffer.take(trace.handle) {
            case .whole(let kept): compare(kept, spans)
            case .reads(let reads): reading[trace.handle] = Reading(reads: reads, expected: spans)
            }
        }
    }

    private mutating func compare(_ kept: KeptTrace, _ spans: [NaiveTraceBuffer.Span]) {
        expect(kept.spans.count == spans.count, "\(kept.spans.count) spans, not \(spans.count)")
        for (found, span) in zip(kept.spans, spans) {
            expect(
                found.spanID == span.record.spanID && found.offset == span.offset && found.index == span.record.index,
                "\(found) is not \(span.record)")
            expect(kept.contents(of: found) == span.contents, "bytes of \(found)")
        }
    }

    // MARK: The disk

    private mutating func takeSealed() {
        let sealed = buffer.sealed()
        expect(limits.spills || sealed.isEmpty, "sealed without spilling")
        for segment in sealed {
            // Blocks are whole, and zero behind the bytes.
            segment.withBlocks { blocks in
                expect(blocks.count % SegmentMemory.blockBytes == 0, "\(blocks.count)")
                expect(blocks[segment.byteCount...].allSatisfy { $0 == 0 }, "tail")
            }
        }
        writing += sealed
        expect(writing.count <= limits.segmentsInFlight, "\(writing.count) in flight")
    }

    private mutating func write() {
        guard !writing.isEmpty else { return }
        // The bytes are what they are at the end of the write, not at its beginning.
        let segment = writing.remove(at: random.below(writing.count))
        disk[segment.id] = segment.bytes
        buffer.written(segment.id)
    }

    private mutating func deleteUnneeded() {
        for id in buffer.unneededSegments() { expect(disk.removeValue(forKey: id) != nil, "\(id) was not written") }
    }

    private mutating func read() {
        guard
            let handle = reading.keys.min(by: {
                ($0.firstOffset, $0.traceID) < ($1.firstOffset, $1.traceID)
            })
        else { return }
        if random.chance(0.1) {
            buffer.discard(handle)
            reading[handle] = nil
            return
        }
        guard !reading[handle]!.reads.isEmpty else { return expect(false, "nothing to read, nothing supplied") }
        let read = reading[handle]!.reads.remove(at: random.below(reading[handle]!.reads.count))
        guard let bytes = bytes(read) else { return expect(false, "\(read) is not on disk") }
        if random.chance(0.1) {
            // A disk may fail and be asked again.
            expect(buffer.supply(handle, read, Array(bytes.dropLast())) == nil, "too short")
        }
        readBack += 1
        if let kept = buffer.supply(handle, read, bytes) {
            compare(kept, reading[handle]!.expected)
            expect(buffer.supply(handle, read, bytes) == nil, "supplied twice")
            reading[handle] = nil
        } else {
            reading[handle]!.reads += buffer.furtherReads(handle)
        }
    }

    private func bytes(_ read: SegmentRead) -> [UInt8]? {
        if let segment = disk[read.segment] {
            guard read.offset + read.byteCount <= segment.count else { return nil }
            return Array(segment[read.offset..<read.offset + read.byteCount])
        }
        guard limits.alwaysReads, let memory = buffer.store.bytes(read.segment.value) else { return nil }
        var bytes: [UInt8] = []
        memory.append(read.offset, read.byteCount, to: &bytes)
        return bytes
    }

    // MARK: Programs

    private mutating func startRematch() {
        naive.program += 1
        buffer.startRematch()
    }

    private mutating func rematch() {
        let program = naive.program
        let left = buffer.rematchBytesLeft
        guard let next = buffer.nextRematch() else { return expect(buffer.rematchBytesLeft == 0, "bytes left") }
        switch next {
        case .memory(let segment):
            buffer.rematch(segment) { TestMessage.scan($0, program: program, into: &$1) }
        case .read(let read):
            guard let bytes = bytes(read) else { return expect(false, "\(read) to match is not on disk") }
            buffer.rematch(read.segment, read: bytes.span.bytes) { TestMessage.scan($0, program: program, into: &$1) }
        }
        rematched += 1
        expect(buffer.rematchBytesLeft < left, "the pass does not advance")
    }

    // MARK: The end

    /// Decides everything and lets everything drain.
    mutating func finish() {
        while buffer.nextRematch() != nil, fault == nil { rematch() }
        let stale = staleCount
        tick += limits.maximumDurationTicks + limits.inactivityTicks
        ripe(limit: .max)
        expect(stale == staleCount, "stale after the pass")
        while !reading.isEmpty, fault == nil { read() }
        while !writing.isEmpty { write() }
        deleteUnneeded()
        compare()
        expect(buffer.traceCount == 0 && buffer.spanCount == 0, "traces are left")
        expect(buffer.usedBytes == 0 && buffer.writtenBytes == 0, "bytes are left: \(buffer.usedBytes)")
        expect(disk.isEmpty, "segments are left on the disk")
    }
}
