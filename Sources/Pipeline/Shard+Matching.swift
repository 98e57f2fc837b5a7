internal import OTLPWire
internal import Sampling
public import TraceBuffering
internal import TraceModel

/// A step of matching buffered spans against newer rules.
public enum RematchStep: Sendable, Hashable {
    /// A segment in memory was matched.
    case matched(byteCount: Int)
    /// A segment on disk must be read: `supplyRematch` takes its bytes.
    case read(SegmentRead)
    /// Nothing to do now: everything was matched, or a read is under way.
    case idle
}

extension Shard {
    // MARK: Matching anew

    mutating func startRematch() {
        buffer.startRematch()
        rematching = Rematching(isActive: true)
        // Those that wait for their decision have left the pass: they carry what the old program found.
        for index in ripe.next..<ripe.traces.count { ripe.traces[index].isStale = true }
    }

    /// Matches the next segment of what was buffered before the newest rules came, in the order of the log.
    ///
    /// One segment at a time: whoever calls it limits the rate. A trace that is due before its segments are passed is
    /// matched by itself.
    public mutating func rematch() -> RematchStep {
        guard rematching.isActive, rematching.reading == nil else { return .idle }
        switch buffer.nextRematch() {
        case nil:
            rematching.isActive = false
            return .idle
        case .memory(let segment):
            let before = buffer.rematchBytesLeft
            let program = sampler.program
            buffer.rematch(segment) { message, batch in Self.scan(message, program, &batch) }
            return .matched(byteCount: max(0, before - buffer.rematchBytesLeft))
        case .read(let read):
            rematching.reading = read
            return .read(read)
        }
    }

    /// The bytes of the segment that `rematch` wanted to be read.
    public mutating func supplyRematch(_ segment: SegmentID, _ bytes: [UInt8]) {
        guard let wanted = rematching.reading, wanted.segment == segment else { return }
        rematching.reading = nil
        // Nobody may need the segment any more; its bytes may be gone then.
        guard bytes.count == wanted.byteCount, case .read(let read) = buffer.nextRematch(), read.segment == segment
        else { return }
        let program = sampler.program
        buffer.rematch(segment, read: bytes.span.bytes) { message, batch in Self.scan(message, program, &batch) }
    }

    /// Buffered bytes that the newest rules have not seen.
    public var rematchBytesLeft: Int { rematching.isActive ? buffer.rematchBytesLeft : 0 }

    private static func scan(_ message: borrowing RawSpan, _ program: MatcherProgram, _ batch: inout SpanBatch) {
        do throws(WireError) {
            try SpanScanner.scan(message, matching: program, into: &batch)
        } catch {
            // It was scanned before it was buffered, and that does not depend on the program.
            preconditionFailure("a buffered message decodes")
        }
    }

    func isStale(_ trace: RipeTrace) -> Bool {
        trace.isStale && !options.plants(.skipsRematch)
    }

    /// What the spans of a trace satisfy, the newest rules asked.
    ///
    /// - Parameter floor: Force rules of lower ranks are not asked.
    func match(_ trace: KeptTrace, from floor: UInt16) -> (matches: UInt64, forceRule: UInt16) {
        let bytes = trace.arena.span.bytes
        var matches: UInt64 = 0
        var forceRule = SpanRecord.noForceRule
        for span in trace.spans {
            let found = sampler.program.match(
                span: span.span, resource: span.resource, in: bytes, forceRulesFrom: floor)
            matches |= found.matches
            forceRule = min(forceRule, found.forceRule)
        }
        return (matches, forceRule)
    }
}
