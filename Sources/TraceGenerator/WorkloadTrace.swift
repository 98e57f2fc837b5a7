import ProtobufWriter
import TraceModel

/// One trace of the workload: three services that call one another, two databases, some work inside.
///
///     0 server  front
///     └ 1 client  front → middle
///       └ 2 server  middle
///         ├ 3 database of middle
///         └ 4 client  middle → back
///           └ 5 server  back
///             ├ 6 database of back
///             └ 7 internal
struct WorkloadTrace {
    let vocabulary: WorkloadVocabulary
    let traceID: TraceID
    private let start: UInt64
    private let duration: UInt64
    private let front: Int
    private let middle: Int
    private let back: Int
    /// Which of the spans have the status error.
    private let hasFailed: [Bool]
    private let spanIDs: [SpanID]
    private let client: Int
    private let thread: Int
    private let tenant: [UInt8]
    private let userAgent: [UInt8]
    private let objectID: String
    private var writer = MessageWriter(capacity: 1024)

    /// Local parent, and remote parent, with the sampled flag (trace.proto, `SpanFlags`).
    private static let localFlags: UInt32 = 0x101
    private static let remoteFlags: UInt32 = 0x301

    init(
        vocabulary: WorkloadVocabulary, start: UInt64, duration: UInt64, isError: Bool,
        _ random: inout SeededRandom
    ) {
        self.vocabulary = vocabulary
        self.start = start
        self.duration = duration
        front = Self.skewed(4, &random)
        middle = 4 + Self.skewed(8, &random)
        back = 12 + Self.skewed(8, &random)
        traceID = random.traceID()
        spanIDs = (0..<8).map { _ in random.spanID() }
        hasFailed = isError ? Self.failures(&random) : Array(repeating: false, count: 8)
        client = random.below(2000)
        thread = random.below(64)
        tenant = random.pick(vocabulary.tenants)
        userAgent = random.pick(vocabulary.userAgents)
        objectID = String(1_000_000_000 + random.below(1 << 33))
    }

    /// The first of a group of services get somewhat more than the last.
    private static func skewed(_ count: Int, _ random: inout SeededRandom) -> Int {
        let unit = random.unit()
        return Int(Double(count) * unit * (unit * 0.4 + 0.6))
    }

    /// A database call fails, and in every other trace everything that waits for it.
    private static func failures(_ random: inout SeededRandom) -> [Bool] {
        let leaf = random.chance(0.4) ? 3 : 6
        let callers = random.chance(0.5) ? (leaf == 3 ? [0, 1, 2] : [0, 1, 2, 4, 5]) : []
        return (0..<8).map { $0 == leaf || callers.contains($0) }
    }

    mutating func spans(_ random: inout SeededRandom) -> [WorkloadSpan] {
        let times = times(&random)
        return [
            server(0, front, nil, times[0], Self.localFlags, &random),
            call(1, from: front, to: middle, times[1], &random),
            server(2, middle, 1, times[2], Self.remoteFlags, &random),
            database(3, middle, parent: 2, times[3], isSQL: true, &random),
            call(4, from: middle, to: back, times[4], &random),
            server(5, back, 4, times[5], Self.remoteFlags, &random),
            database(6, back, parent: 5, times[6], isSQL: back % 2 == 1, &random),
            work(7, back, parent: 5, times[7], &random),
        ]
    }

    // MARK: Times

    private struct Interval {
        var start: UInt64
        var end: UInt64

        /// The part between two fractions.
        func part(_ from: Double, _ to: Double) -> Interval {
            let width = Double(end - start)
            return Interval(start: start + UInt64(width * from), end: start + UInt64(width * to))
        }
    }

    private func times(_ random: inout SeededRandom) -> [Interval] {
        let root = Interval(start: start, end: start + duration)
        let call = root.part(0.02, 0.97)
        let middle = call.part(0.01, 0.99)
        let query = middle.part(0.05, 0.15 + 0.2 * random.unit())
        let secondCall = middle.part(0.4, 0.98)
        let back = secondCall.part(0.01, 0.99)
        let secondQuery = back.part(0.1, 0.3 + 0.3 * random.unit())
        let work = back.part(0.65, 0.9)
        return [root, call, middle, query, secondCall, back, secondQuery, work]
    }

    // MARK: Spans

    private mutating func server(
        _ index: Int, _ service: Int, _ parent: Int?, _ time: Interval, _ flags: UInt32,
        _ random: inout SeededRandom
    ) -> WorkloadSpan {
        let method = random.below(vocabulary.methods.count)
        let route = random.below(8)
        let routes = vocabulary.services[service].routes
        begin(index, parent, "\(vocabulary.methods[method]) \(routes[route]){id}", kind: 2, time)
        writer.raw(vocabulary.methodAttributes[method])
        writer.raw(vocabulary.scheme)
        writer.raw(WorkloadVocabulary.attribute("url.path", routes[route] + objectID))
        writer.raw(vocabulary.services[service].routeAttributes[route])
        writer.raw(status(index, &random))
        writer.raw(vocabulary.services[service].address)
        writer.raw(vocabulary.serverPort)
        writer.raw(vocabulary.clientAddresses[client])
        writer.raw(userAgent)
        writer.raw(vocabulary.protocolVersion)
        writer.raw(vocabulary.peerAddresses[(client * 7 + service) % 2000])
        writer.raw(tenant)
        return end(index, service, time, flags)
    }

    private mutating func call(
        _ index: Int, from service: Int, to other: Int, _ time: Interval,
        _ random: inout SeededRandom
    ) -> WorkloadSpan {
        let method = random.below(vocabulary.methods.count)
        let callee = vocabulary.services[other]
        let url = "https://\(callee.name).prod.svc.cluster.local:8080\(callee.routes[random.below(8)])"
        begin(index, index == 1 ? 0 : 2, vocabulary.methods[method], kind: 3, time)
        writer.raw(vocabulary.methodAttributes[method])
        writer.raw(WorkloadVocabulary.attribute("url.full", url + objectID))
        writer.raw(status(index, &random))
        writer.raw(callee.address)
        writer.raw(vocabulary.serverPort)
        writer.raw(vocabulary.peerAddresses[(client * 3 + other) % 2000])
        writer.raw(vocabulary.peerPort)
        writer.raw(vocabulary.protocolName)
        writer.raw(vocabulary.protocolVersion)
        writer.raw(callee.peer)
        writer.raw(vocabulary.threadIDs[thread])
        writer.raw(vocabulary.threadNames[thread])
        return end(index, service, time, Self.localFlags)
    }

    private mutating func database(
        _ index: Int, _ service: Int, parent: Int, _ time: Interval, isSQL: Bool,
        _ random: inout SeededRandom
    ) -> WorkloadSpan {
        let query = random.pick(vocabulary.services[service].queries)
        begin(index, parent, query.name, kind: 3, time)
        writer.raw(isSQL ? vocabulary.sqlSystem : vocabulary.cacheSystem)
        writer.raw(vocabulary.services[service].database)
        writer.raw(query.attributes)
        writer.raw(isSQL ? vocabulary.sqlPort : vocabulary.cachePort)
        writer.raw(vocabulary.peerAddresses[(service * 31) % 2000])
        writer.raw(random.pick(vocabulary.rowCounts))
        writer.raw(vocabulary.threadIDs[thread])
        writer.raw(vocabulary.threadNames[thread])
        return end(index, service, time, Self.localFlags)
    }

    private mutating func work(
        _ index: Int, _ service: Int, parent: Int, _ time: Interval, _ random: inout SeededRandom
    ) -> WorkloadSpan {
        let function = random.pick(vocabulary.services[service].functions)
        begin(index, parent, function.name, kind: 1, time)
        writer.raw(function.attributes)
        writer.raw(random.pick(vocabulary.lineNumbers))
        writer.raw(vocabulary.threadIDs[thread])
        writer.raw(vocabulary.threadNames[thread])
        writer.raw(tenant)
        writer.raw(random.pick(vocabulary.itemCounts))
        writer.raw(random.pick(vocabulary.variants))
        writer.raw(random.pick(vocabulary.prices))
        writer.raw(random.pick(vocabulary.currencies))
        writer.raw(random.pick(vocabulary.cacheHits))
        writer.raw(
            WorkloadVocabulary.attribute("app.request.id", UUIDText.text(random.next(), random.next())))
        return end(index, service, time, Self.localFlags)
    }

    private func status(_ index: Int, _ random: inout SeededRandom) -> [UInt8] {
        hasFailed[index] ? vocabulary.failureStatus : random.pick(vocabulary.successStatuses)
    }

    private mutating func begin(
        _ index: Int, _ parent: Int?, _ name: String, kind: Int64, _ time: Interval
    ) {
        writer.removeAll()
        writer.bytes(1, traceID.bytes)
        writer.bytes(2, spanIDs[index].bytes)
        if let parent { writer.bytes(4, spanIDs[parent].bytes) }
        writer.string(5, name)
        writer.int(6, kind)
        writer.fixed64(7, time.start)
        writer.fixed64(8, time.end)
    }

    private mutating func end(
        _ index: Int, _ service: Int, _ time: Interval, _ flags: UInt32
    ) -> WorkloadSpan {
        if hasFailed[index] {
            let exception = vocabulary.exception
            writer.message(11) {
                $0.fixed64(1, time.end - 1000)
                $0.raw(exception)
            }
            writer.raw(vocabulary.failure)
        }
        writer.fixed32(16, flags)
        var field = MessageWriter(capacity: writer.bytes.count + 4)
        field.bytes(2, writer.bytes)
        return WorkloadSpan(endTimeUnixNano: time.end, service: service, field: field.bytes)
    }
}
