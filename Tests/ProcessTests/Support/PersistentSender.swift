import HTTPClient
import Synchronization
import Testing
import Threads
import TraceGenerator
import TraceModel

/// What a sender knows of one request.
struct SentRequest: Sendable {
    var spans: [GeneratedSpan]
    /// Whether it was answered 200, at the first try or at a later one.
    var isAnswered: Bool
}

/// What a sender knows of one trace: its first request decides about it, the second brings more of its spans.
struct SentTrace: Sendable {
    var kind: GeneratedTrace.Kind
    var requests: [SentRequest]
}

/// Applications that go on sending whatever happens to the server, and remember what they were told.
///
/// A trace goes out in two requests: the first holds its root and its failing span, so that it is known what must be
/// decided about it whenever the second arrives. A request that is not answered is either sent again until it is, as
/// SDKs do, or given up; then its trace's second request is not sent.
final class PersistentSender: Sendable {
    private let server: ServerUnderTest
    private let traces: Traces
    private let seed: UInt64
    private let isStopping = Atomic<Bool>(false)
    /// Nobody is there any more to send to.
    private let isGivingUp = Atomic<Bool>(false)
    private let done = Lock<[SentTrace]>([])
    private let threads = Lock<[NamedThread]>([])
    private static let laneCount = 3
    /// Between two traces of a lane: some fifty traces a second, for the server and its table are debug builds.
    private static let pause: Duration = .milliseconds(40)

    init(_ server: ServerUnderTest, seed: UInt64) {
        self.server = server
        self.seed = seed
        traces = Traces(seed: seed)
    }

    func start() throws {
        let started = try (0..<Self.laneCount).map { lane in
            try NamedThread.start(name: "lane \(lane)") { self.run(lane) }
        }
        threads.withLock { $0 = started }
    }

    /// Ends after the traces under way; the server must be up.
    func stop() -> [SentTrace] {
        isStopping.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
        return done.withLock { $0 }
    }

    /// Ends at once.
    func giveUp() {
        isGivingUp.store(true, ordering: .relaxed)
        _ = stop()
    }

    private func run(_ lane: Int) {
        var random = SeededRandom(seed: seed, stream: UInt64(lane))
        while !isStopping.load(ordering: .relaxed) {
            let kind: GeneratedTrace.Kind = random.pick([.error, .slow, .ok, .ok])
            let trace = traces.next(kind)
            let isPatient = random.chance(0.5)
            let sent = send(trace, isPatient: isPatient)
            done.withLock { $0.append(sent) }
            Wakeup().sleep(Self.pause)
        }
    }

    private func send(_ trace: GeneratedTrace, isPatient: Bool) -> SentTrace {
        var (first, second) = (trace.request, trace.request)
        first.spans = trace.spans.enumerated().filter { Self.isDecisive($0.element, $0.offset) }.map(\.element)
        second.spans = trace.spans.enumerated().filter { !Self.isDecisive($0.element, $0.offset) }.map(\.element)
        var sent = SentTrace(kind: trace.kind, requests: [])
        for request in [first, second] where !request.spans.isEmpty {
            let isAnswered = send(request.encoded(), isPatient: isPatient)
            sent.requests.append(SentRequest(spans: request.spans, isAnswered: isAnswered))
            if !isAnswered { break }
        }
        return sent
    }

    private static func isDecisive(_ span: GeneratedSpan, _ index: Int) -> Bool {
        index < 2 || span.statusCode == 2
    }

    /// Long enough for a restart on a machine that does much else.
    private static let patience: Duration = .seconds(120)

    private func send(_ body: [UInt8], isPatient: Bool) -> Bool {
        let deadline = MonotonicInstant.now + Self.patience
        while true {
            if (try? server.export(body))?.status == 200 { return true }
            guard isPatient, !isGivingUp.load(ordering: .relaxed), .now < deadline else { return false }
            Wakeup().sleep(.milliseconds(50))
        }
    }
}

extension Accounting {
    /// How many there were of each sort; a run in which one is zero has shown nothing of it.
    struct Sums: CustomStringConvertible {
        var traces = 0
        var keptSpans = 0
        var unansweredRequests = 0
        var arrivedUnanswered = 0

        var description: String {
            "\(traces) traces, \(keptSpans) spans to be kept; \(unansweredRequests) requests were never answered, "
                + "\(arrivedUnanswered) of them arrived"
        }
    }

    /// Every span of an error or slow trace that was answered 200 is there once, no span of a normal one; a request
    /// that was not answered is there once and whole, or not at all.
    static func check(_ sent: [SentTrace], in table: TableReader) throws -> Sums {
        var found = try names(in: table)
        var sums = Sums(traces: sent.count)
        var missing: [SpanName] = []
        var torn: [SpanName] = []
        for trace in sent where trace.kind != .ok {
            for request in trace.requests {
                let spans = request.spans.map(SpanName.init)
                let absent = spans.filter { found.remove($0) == nil }
                if request.isAnswered {
                    sums.keptSpans += spans.count
                    missing += absent
                } else {
                    sums.unansweredRequests += 1
                    if absent.isEmpty {
                        sums.arrivedUnanswered += 1
                    } else if absent.count < spans.count {
                        torn += absent
                    }
                }
            }
        }
        #expect(missing == [], "0 missing")
        #expect(torn == [], "requests that were not answered are there in part")
        // What is left was dropped, or was never sent.
        #expect(found.sorted() == [], "spans of dropped traces")
        return sums
    }
}
