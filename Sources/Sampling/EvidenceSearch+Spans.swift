internal import OTLPWire
internal import TraceModel

extension EvidenceSearch {
    /// Spans of one trace that are looked at, at most: evidence behind them is left out, never wrong.
    static let spanLimit = 10_000

    /// Walks over the spans, in the order of their arrival, until everything wanted is found.
    ///
    /// - Parameter kept: Nil when the bytes are gone: then only values of the whole trace are answered.
    /// - Complexity: Decodes each span once, and none behind the last one that is needed.
    consuming func pieces(in kept: KeptTrace?) -> [VoteEvidence] {
        guard let kept else { return wanted.flatMap(\.pieces) }
        var values = SpanValues()
        if wanted.contains(where: { $0.question.needsSpans }) {
            for span in kept.spans.prefix(Self.spanLimit) {
                do throws(WireError) {
                    try values.decode(span, in: kept.arena)
                } catch {
                    // What the entrance took decodes; a span that does not shows nothing.
                    continue
                }
                if look(at: span, values, in: kept.arena) { break }
            }
        }
        let isWhole = kept.spans.count <= Self.spanLimit
        return wanted.flatMap { $0.answer(isWhole: isWhole).prefix(VoteEvidence.pieceLimit) }
    }

    /// - Returns: Whether nothing is open any more.
    private mutating func look(at span: KeptSpan, _ values: SpanValues, in arena: [UInt8]) -> Bool {
        var isOver = true
        for index in wanted.indices where !wanted[index].isSettled && wanted[index].question.needsSpans {
            wanted[index].look(at: span, values, in: arena)
            isOver = isOver && wanted[index].isSettled
        }
        return isOver
    }
}

extension EvidenceSearch.Question {
    var needsSpans: Bool {
        if case .known = self { false } else { true }
    }
}

extension EvidenceSearch.Wanted {
    /// The pieces found; that nothing was found is an answer for `nearest`.
    ///
    /// - Parameter isWhole: Whether every span was looked at: only then is anything said of all of them.
    func answer(isWhole: Bool) -> [VoteEvidence] {
        switch question {
        case .firstStart, .lastEnd: return isWhole ? pieces : []
        case .nearest(let key) where pieces.isEmpty && isWhole:
            return [VoteEvidence(policy: policy, part: part, subject: .absence, key: key, value: "")]
        default: return pieces
        }
    }

    mutating func look(at span: KeptSpan, _ values: SpanValues, in arena: [UInt8]) {
        switch question {
        case .known: break
        case .terms(let terms):
            guard let found = values.showing(terms, in: arena) else { return }
            pieces = found.map { piece($0, span, values, in: arena) }
            isSettled = true
        case .nearest(let key):
            let subjects = [MatcherSubject.span(key), .resource(key)]
            for subject in subjects {
                guard let value = values.values(of: subject, in: arena).first else { continue }
                pieces = [piece(values.showing(subject, value, in: arena), span, values, in: arena)]
                isSettled = true
                return
            }
        case .sampledFlag:
            guard values.contents.flags & 1 != 0 else { return }
            pieces = [piece(ShownValue(.field, "sampled flag", ""), span, values, in: arena)]
            isSettled = true
        case .firstStart:
            let start = values.contents.startTimeUnixNano
            if pieces.isEmpty || start < time { keepTime(.firstStart, start, span, values, in: arena) }
        case .lastEnd:
            let end = values.contents.endTimeUnixNano
            if pieces.isEmpty || end > time { keepTime(.lastEnd, end, span, values, in: arena) }
        }
    }

    private mutating func keepTime(
        _ subject: VoteEvidence.Subject, _ time: UInt64, _ span: KeptSpan, _ values: SpanValues, in arena: [UInt8]
    ) {
        self.time = time
        let key = subject == .firstStart ? "start_time_unix_nano" : "end_time_unix_nano"
        pieces = [piece(ShownValue(subject, key, "\(time)"), span, values, in: arena)]
    }

    private func piece(
        _ shown: ShownValue, _ span: KeptSpan, _ values: SpanValues, in arena: [UInt8]
    ) -> VoteEvidence {
        VoteEvidence(
            policy: policy, part: part, subject: shown.subject, spanID: span.spanID,
            spanName: SpanValues.text(values.contents.name, in: arena), key: shown.key, value: shown.value,
            isText: shown.isText)
    }
}
