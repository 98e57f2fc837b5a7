public import Configuration
public import TraceModel

/// One kind of policy: how it is written, what it asks of a trace, and how it says so.
///
/// A kind is one file in `Policies`, one row in `PolicyCatalog.kinds` and one file of cases in the tests.
public protocol PolicyKind: Sendable {
    /// The value of `type`, and the name of the member that holds the kind's own members.
    static var typeName: String { get }

    /// Reads the kind's members; what is wrong goes into `fields.problems`, and a default takes its place.
    init(reading fields: inout Fields)

    /// The conditions that must all hold for the policy to vote.
    func conditions(_ compiler: inout PolicyCompiler) -> [Condition]

    /// What the policy wants, for the list of effective policies: "a span has status ERROR".
    var words: String { get }

    /// How the trace answers: "errors no", "latency 38 ms < 5000 ms".
    ///
    /// - Parameter answers: What each of `conditions` said of it; the kind takes its own from the front.
    func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String

    /// Says which spans and values show why the trace answered so; see `TraceLevelPolicyKind` for kinds that need none.
    ///
    /// - Parameter answers: As in `explanation`.
    func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers)
}

/// What the conditions of a policy said of a trace, in their order.
public struct Answers {
    /// What one condition said.
    struct Answer {
        /// nil: it was not asked, or what it said is not known any more.
        var isMet: Bool?
        /// Of a composite: the part that decided, nil when none matched or it cannot be told.
        var part: Int?
        /// Of a composite: what the conditions of that part said.
        var partAnswers: [Answer] = []
        /// Of a limiter: what it needed and had, when that is still known.
        var reading: LimiterReading?
    }

    private var rest: ArraySlice<Answer>

    init(_ answers: [Answer]) {
        rest = answers[...]
    }

    /// Whether the next condition held; nil: it was not asked, or what it said is not known any more.
    ///
    /// - Precondition: No kind takes more answers than it has conditions.
    public mutating func next() -> Bool? { rest.removeFirst().isMet }

    /// The next answer with the part that decided.
    mutating func nextPart() -> Answer { rest.removeFirst() }
}

extension PolicyKind {
    var typeName: String { Self.typeName }
}

/// A kind that asks one question; the only kinds that `and`, `drop` and `not` take as their parts.
public protocol BasicPolicyKind: PolicyKind {
    func condition(_ compiler: inout PolicyCompiler) -> Condition

    /// How the trace answers, given whether the condition holds.
    func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String

    /// Says which spans and values show why the condition holds, or does not.
    func evidence(_ search: inout EvidenceSearch, isMet: Bool)
}

extension BasicPolicyKind {
    public func conditions(_ compiler: inout PolicyCompiler) -> [Condition] { [condition(&compiler)] }

    public func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String {
        guard let isMet = answers.next() else { return "\(typeName) not told" }
        return explanation(trace, isMet: isMet)
    }

    public func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers) {
        search.ask(self, answers.nextPart())
    }
}

/// A policy as configured.
public struct PolicyConfiguration: Sendable {
    /// Unique in its set; the value of the `policy` label and column.
    public var name: String
    public var kind: any PolicyKind
    /// What a trace that it keeps is counted under.
    public var reason: Reason
    public var place: Place

    public init(name: String, kind: any PolicyKind, reason: Reason = .policy, place: Place = .builtIn) {
        self.name = name
        self.kind = kind
        self.reason = reason
        self.place = place
    }

    /// `drop` policies are asked before all others, and what they want is dropped.
    public var isDrop: Bool { kind is Drop }

    /// One line for people: `always_sample_errors keeps traces in which a span has status ERROR`.
    public var words: String { "\(name) \(isDrop ? "drops" : "keeps") \(kind.words)" }
}
