internal import OTLPWire
public import TraceModel

/// Gathers what the policies of one decision want to show, then finds all of it in one walk over the spans.
///
/// A kind says what it looks for (`PolicyKind.evidence`); it never sees a span. The order of the calls is the order
/// of the answer.
public struct EvidenceSearch {
    /// What is known of the trace without its spans.
    public let trace: TraceSummary

    /// One thing looked for, with what the pieces found carry.
    struct Wanted {
        var policy: String
        var part: String
        var question: Question
        /// What was found so far.
        var pieces: [VoteEvidence] = []
        /// Whether no later span can say more.
        var isSettled = false
        /// The earliest start or latest end so far.
        var time: UInt64 = 0
    }

    enum Question {
        /// Known without the spans.
        case known
        /// The first span on which, with its resource, all terms hold.
        case terms([MatcherTerm])
        /// The first span that has the attribute at all; no span at all is an answer too.
        case nearest(key: String)
        /// The first span with the W3C sampled flag.
        case sampledFlag
        case firstStart
        case lastEnd
    }

    private(set) var policy = ""
    private var part = ""
    /// Of the limiter whose kind is asked now.
    private var reading: LimiterReading?
    var wanted: [Wanted] = []

    init(_ trace: TraceSummary) {
        self.trace = trace
    }

    /// What follows belongs to this policy or rule.
    mutating func begin(_ policy: String) {
        self.policy = policy
        part = ""
    }

    private mutating func want(_ question: Question, _ pieces: [VoteEvidence] = []) {
        wanted.append(Wanted(policy: policy, part: part, question: question, pieces: pieces))
    }

    // MARK: What kinds ask for

    /// A value of the trace as a whole, said in full: "latency 38 ms < 5000 ms".
    public mutating func trace(_ key: String, _ value: String) {
        want(.known, [VoteEvidence(policy: policy, part: part, subject: .trace, key: key, value: value)])
    }

    /// A value of the whole trace, with what a limiter had left where it is one's.
    mutating func answer(_ key: String, _ words: String) { limited(key, words, reading) }

    /// The attribute that made a question about attributes hold; else the first of that key, which did not.
    ///
    /// - Parameter isFound: Whether some span satisfies one of the tests.
    mutating func attribute(_ key: String, _ tests: [MatcherTest], isFound: Bool) {
        want(isFound ? .terms([MatcherTerm(anyOf: tests)]) : .nearest(key: key))
    }

    /// The first span on which, with its resource, all of these hold, and the value for each of them.
    mutating func span(satisfying terms: [MatcherTerm]) {
        want(.terms(terms))
    }

    /// The span that starts first and the one that ends last.
    mutating func firstAndLastSpan() {
        want(.firstStart)
        want(.lastEnd)
    }

    /// The first span with the W3C sampled flag.
    mutating func spanWithSampledFlag() {
        want(.sampledFlag)
    }

    /// What a part of a policy shows, under the name of its kind.
    mutating func part(_ kind: any PolicyKind, _ answers: inout Answers) {
        let outer = part
        part = outer.isEmpty ? kind.typeName : "\(outer) \(kind.typeName)"
        kind.evidence(&self, &answers)
        part = outer
    }

    /// What the one part of a `not` shows, whose answer is the opposite.
    mutating func part(_ kind: any BasicPolicyKind, inverting answer: Answers.Answer) {
        let outer = part
        part = outer.isEmpty ? kind.typeName : "\(outer) \(kind.typeName)"
        var opposite = answer
        opposite.isMet = answer.isMet.map { !$0 }
        ask(kind, opposite)
        part = outer
    }

    /// Asks a kind of one condition; one whose answer is not known says so.
    mutating func ask(_ kind: any BasicPolicyKind, _ answer: Answers.Answer) {
        guard let isMet = answer.isMet else { return trace(kind.typeName, "\(kind.typeName) not told") }
        reading = answer.reading
        kind.evidence(&self, isMet: isMet)
        reading = nil
    }

    /// What a limiter said of the trace, and what it had left.
    mutating func limited(_ key: String, _ words: String, _ reading: LimiterReading?) {
        trace(key, reading.map { "\(words): \($0.words)" } ?? words)
    }
}

/// A kind whose answer depends on the trace as a whole, not on a single span: its evidence is its explanation.
public protocol TraceLevelPolicyKind: BasicPolicyKind {}

extension TraceLevelPolicyKind {
    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.answer(typeName, explanation(search.trace, isMet: isMet))
    }
}
