import Glibc
import Synchronization
import Testing
import Threads

@Suite struct LockTests {
    @Test func `lets one thread at a time change the value`() throws {
        let lock = Lock([Int]())
        try inParallel(8) { index in
            for step in 0..<1000 { lock.withLock { $0.append(index * 1000 + step) } }
        }
        #expect(lock.withLock { $0.sorted() } == Array(0..<8000))
    }

    @Test func `passes errors of the body on and is free afterwards`() {
        struct Failure: Error {}
        let lock = Lock(1)
        #expect(throws: Failure.self) { try lock.withLock { _ throws(Failure) in throw Failure() } }
        #expect(lock.withLock { $0 } == 1)
    }

    struct Owned: ~Copyable { var number: Int }

    @Test func `hands a value that cannot be copied to another thread`() throws {
        let lock = Lock<Owned?>(Owned(number: 7))
        let seen = Atomic<Int>(0)
        let counter = Shared(seen)
        try inParallel(1) { _ in
            let taken = lock.withLock { value -> Owned? in value.take() }
            if let taken { counter.value.store(taken.number, ordering: .relaxed) }
        }
        #expect(counter.value.load(ordering: .relaxed) == 7)
        #expect(lock.withLock { $0 == nil })
    }
}

/// An atomic that several closures may hold.
final class Shared<Value: AtomicRepresentable & Sendable>: Sendable {
    let value: Atomic<Value>
    init(_ value: consuming Atomic<Value>) { self.value = value }
}

@Suite struct WakeupTests {
    @Test func `returns at once when a signal came after the ticket`() {
        let wakeup = Wakeup()
        let ticket = wakeup.ticket()
        wakeup.signal()
        #expect(wakeup.wait(past: ticket))
    }

    @Test func `returns at the deadline without a signal`() {
        let wakeup = Wakeup()
        let start = MonotonicInstant.now
        #expect(!wakeup.wait(past: wakeup.ticket(), until: start + .milliseconds(20)))
        #expect(MonotonicInstant.now - start >= .milliseconds(20))
    }

    @Test func `wakes every waiting thread with one signal`() throws {
        let wakeup = Wakeup()
        let ticket = wakeup.ticket()
        let woken = Lock(0)
        let threads = try (0..<8).map { index in
            try NamedThread.start(name: "waiter \(index)") {
                if wakeup.wait(past: ticket, until: .now + .seconds(10)) { woken.withLock { $0 += 1 } }
            }
        }
        wakeup.signal()
        for thread in threads { thread.join() }
        #expect(woken.withLock { $0 } == 8)
    }

    @Test func `a deadline in the past or before the clock began does not block`() {
        let wakeup = Wakeup()
        #expect(!wakeup.wait(past: wakeup.ticket(), until: MonotonicInstant(nanoseconds: -5)))
        #expect(!wakeup.wait(past: wakeup.ticket(), until: .now))
    }
}

@Suite struct MailboxTests {
    @Test func `gives elements in the order they came, up to its capacity`() {
        let mailbox = Mailbox<Int>(capacity: 3)
        #expect((1...4).map { mailbox.offer($0) } == [true, true, true, false])
        #expect(mailbox.take() == 1)
        #expect(mailbox.offer(5))
        #expect(mailbox.takeAll() == [2, 3, 5])
        #expect(mailbox.take() == nil)
    }

    @Test func `refuses after the end but gives what is inside`() {
        let mailbox = Mailbox<Int>(capacity: 3)
        _ = mailbox.offer(1)
        mailbox.close()
        #expect(!mailbox.offer(2))
        #expect(mailbox.take(until: nil) == 1)
        #expect(mailbox.take(until: nil) == nil)
        #expect(mailbox.takeAll(until: nil).isEmpty)
    }

    @Test func `signals a refused sender once there is room`() {
        let mailbox = Mailbox<Int>(capacity: 1)
        let sender = Wakeup()
        _ = mailbox.offer(1)
        let ticket = sender.ticket()
        #expect(!mailbox.offer(2, whenRoom: sender))
        #expect(!sender.wait(past: ticket, until: .now))
        _ = mailbox.take()
        #expect(sender.wait(past: ticket, until: .now + .seconds(10)))
    }

    @Test func `behaves as a bounded list under any sequence of calls`() {
        let seed = UInt64.random(in: 1...UInt64.max)
        var random = SplitMix(state: seed)
        for capacity in [1, 2, 7] {
            let mailbox = Mailbox<Int>(capacity: capacity)
            var model: [Int] = []
            for step in 0..<5000 {
                switch random.next() % 8 {
                case 0..<4:
                    let isTaken = mailbox.offer(step)
                    #expect(isTaken == (model.count < capacity), "seed \(seed)")
                    if isTaken { model.append(step) }
                case 4..<7:
                    #expect(mailbox.take() == (model.isEmpty ? nil : model.removeFirst()), "seed \(seed)")
                default:
                    #expect(mailbox.takeAll() == model, "seed \(seed)")
                    model = []
                }
                #expect(mailbox.count == model.count, "seed \(seed)")
            }
        }
    }

    @Test(arguments: [1, 2, 64])
    func `loses and doubles nothing between many senders and many receivers`(capacity: Int) throws {
        let (senders, perSender) = (4, 3000)
        let mailbox = Mailbox<Int>(capacity: capacity)
        let received = Lock([Int]())
        let receivers = try (0..<3).map { index in
            try NamedThread.start(name: "receiver \(index)") {
                var own: [Int] = []
                while let element = mailbox.take(until: nil) { own.append(element) }
                received.withLock { $0 += own }
            }
        }
        try inParallel(senders) { sender in
            let room = Wakeup()
            for number in 0..<perSender {
                while true {
                    let ticket = room.ticket()
                    if mailbox.offer(sender * perSender + number, whenRoom: room) { break }
                    // No deadline: a lost signal makes this test hang, which its runner ends.
                    room.wait(past: ticket)
                }
            }
        }
        mailbox.close()
        for receiver in receivers { receiver.join() }
        #expect(received.withLock { $0.sorted() } == Array(0..<senders * perSender))
    }

    @Test func `one receiver sees the elements of each sender in order`() throws {
        let mailbox = Mailbox<(Int, Int)>(capacity: 5)
        let received = Lock([(Int, Int)]())
        let receiver = try NamedThread.start(name: "receiver") {
            while true {
                let batch = mailbox.takeAll(until: nil)
                if batch.isEmpty { return }
                received.withLock { $0 += batch }
            }
        }
        try inParallel(4) { sender in
            let room = Wakeup()
            for number in 0..<2000 {
                while true {
                    let ticket = room.ticket()
                    if mailbox.offer((sender, number), whenRoom: room) { break }
                    room.wait(past: ticket)
                }
            }
        }
        mailbox.close()
        receiver.join()
        let all = received.withLock { $0 }
        for sender in 0..<4 {
            #expect(all.filter { $0.0 == sender }.map(\.1) == Array(0..<2000))
        }
    }
}

@Suite struct ReplySlotTests {
    @Test func `takes the first answer only and gives it once`() {
        let slot = ReplySlot<Int>()
        #expect(slot.take() == nil)
        #expect(slot.fill(1))
        #expect(!slot.fill(2))
        #expect(slot.take(until: nil) == 1)
        #expect(slot.take() == nil)
        #expect(!slot.fill(3))
        #expect(slot.take(until: .now) == nil)
    }

    @Test func `a thread that waits for work, replies and room on one condition misses none`() throws {
        // Every capacity is 1: the worker answers into slots, which no full mailbox can hold back.
        struct Work: Sendable { var number: Int; var reply: ReplySlot<Int> }
        let requests = Mailbox<Work>(capacity: 1)
        let worker = try NamedThread.start(name: "worker") {
            while let work = requests.take(until: nil) { work.reply.fill(work.number * 2) }
        }
        let own = Wakeup()
        var open: [ReplySlot<Int>] = []
        var (sent, answers) = (0, [Int]())
        while answers.count < 2000 {
            let ticket = own.ticket()
            var hasMoved = false
            if sent < 2000, open.count < 16 {
                let slot = ReplySlot<Int>(receiver: own)
                if requests.offer(Work(number: sent, reply: slot), whenRoom: own) {
                    open.append(slot)
                    sent += 1
                    hasMoved = true
                }
            }
            while let answer = open.first?.take() {
                answers.append(answer)
                open.removeFirst()
                hasMoved = true
            }
            if !hasMoved { own.wait(past: ticket) }
        }
        requests.close()
        worker.join()
        #expect(answers == (0..<2000).map { $0 * 2 })
    }
}

@Suite struct NamedThreadTests {
    @Test func `runs the body under its name, cut to what the kernel takes`() throws {
        let seen = Lock("")
        let thread = try NamedThread.start(name: "a-name-of-more-than-fifteen") {
            var buffer = [UInt8](repeating: 0, count: 64)
            let descriptor = open("/proc/thread-self/comm", O_RDONLY)
            let count = read(descriptor, &buffer, buffer.count)
            close(descriptor)
            seen.withLock { [buffer] in $0 = String(decoding: buffer[..<max(0, count - 1)], as: UTF8.self) }
        }
        thread.join()
        thread.join()
        #expect(seen.withLock { $0 } == "a-name-of-more-")
        #expect(thread.name == "a-name-of-more-")
    }

    @Test func `says why a thread did not start`() {
        #expect(throws: ThreadError.self) {
            _ = try NamedThread.start(name: "huge", stackBytes: 1 << 60) {}
        }
    }
}

@Suite struct TimeTests {
    @Test func `sums saturate instead of trapping`() {
        #expect(MonotonicInstant.now + .seconds(Int64.max) == MonotonicInstant(nanoseconds: .max))
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(-1500).wholeMilliseconds == -1500)
        #expect(MonotonicInstant(nanoseconds: 5) - MonotonicInstant(nanoseconds: 7) == .nanoseconds(-2))
    }

    @Test func `the monotonic clock does not go back`() {
        var last = MonotonicInstant.now
        for _ in 0..<1000 {
            let now = MonotonicInstant.now
            #expect(now >= last)
            last = now
        }
    }
}

/// Small seeded generator: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
