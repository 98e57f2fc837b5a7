public import TraceModel

extension MatcherProgram {
    /// Runs the program on one span whose bytes are at hand, as a scan does.
    ///
    /// For traces that are older than the program. A span that is malformed, which validated ones are not, matches
    /// nothing.
    ///
    /// - Parameters:
    ///   - span: The body of a `Span`.
    ///   - resource: The body of its `Resource`; empty when absent.
    ///   - floor: Force rules of lower ranks do not count.
    public func match(
        span: ByteRange, resource: ByteRange, in bytes: borrowing RawSpan, forceRulesFrom floor: UInt16 = 0
    ) -> (matches: UInt64, forceRule: UInt16) {
        var scratch = MatcherScratch()
        return match(span: span, resource: resource, in: bytes, forceRulesFrom: floor, using: &scratch)
    }

    /// The same for many spans one after the other: with force rules the first one allocates, and no further one.
    @inline(never)
    public func match(
        span: ByteRange, resource: ByteRange, in bytes: borrowing RawSpan, forceRulesFrom floor: UInt16 = 0,
        using scratch: inout MatcherScratch
    ) -> (matches: UInt64, forceRule: UInt16) {
        let limits = WireLimits()
        var record = SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
        var hits = MatcherHits(self, forceRulesFrom: floor, &scratch)
        do throws(WireError) {
            try match(resource: resource, in: bytes, limits: limits, into: &hits)
            record.matches = resourceBits(of: hits.resourceTerms)
            record.forceRule = hits.force.resourceRank
            _ = try scanSpan(
                bytes, from: span.lowerBound, to: span.upperBound, self, &hits, limits: limits, into: &record)
        } catch {
            record.matches = 0
            record.forceRule = SpanRecord.noForceRule
        }
        hits.finish(&scratch)
        return (record.matches, record.forceRule)
    }
}
