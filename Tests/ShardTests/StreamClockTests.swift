import Testing
import TraceModel

@testable import Pipeline

@Suite struct StreamClockTests {
    static let now: Int64 = 1_780_000_000_000

    func clock(_ kind: TimestampKind) -> StreamClock {
        StreamClock(kind: kind, at: StreamTick(milliseconds: Self.now))
    }

    @Test func `it never goes back, and a broker's stamp is never ahead of our clock`() {
        let clock = clock(.appendTime)
        #expect(clock.arrival(Self.now - 5, following: [], wall: Self.now + 100) == Self.now)
        #expect(clock.arrival(Self.now + 50, following: [], wall: Self.now + 100) == Self.now + 50)
        #expect(clock.arrival(Self.now + 500, following: [], wall: Self.now + 100) == Self.now + 100)
        #expect(clock.arrival(0, following: [], wall: 0) == Self.now)
    }

    @Test func `the embedded log's own stamps do not ask our wall clock`() {
        #expect(clock(.stamp).arrival(Self.now + 3_600_000, following: [], wall: 0) == Self.now + 3_600_000)
    }

    @Test func `one wild timestamp of a sender moves nothing, a real silence is followed at once`() {
        let clock = clock(.createTime)
        let wall = Self.now + 7_200_000
        let wild = Self.now + 3_600_000
        let near = Array(repeating: Self.now + 10, count: 8)
        let far = Array(repeating: wild, count: 8)
        #expect(clock.arrival(wild, following: near, wall: wall) == Self.now)
        #expect(clock.arrival(wild, following: far, wall: wall) == wild)
        #expect(clock.arrival(wild, following: [wild, wild, Self.now], wall: wall) == wild)
        #expect(clock.arrival(wild, following: [wild, Self.now], wall: wall) == Self.now)
        #expect(clock.arrival(wild, following: [], wall: wall) == Self.now)
        #expect(clock.arrival(Self.now + 60_000, following: near, wall: wall) == Self.now + 60_000)
        #expect(clock.arrival(.max, following: near, wall: wall) == Self.now)
        #expect(clock.arrival(.min, following: near, wall: wall) == Self.now)
    }

    @Test func `at the end real time carries it two seconds behind, and it stands while anything is queued`() {
        var clock = clock(.appendTime)
        clock.reach(.end(monotonicMilliseconds: 1_000), wall: 0)
        clock.reach(.end(monotonicMilliseconds: 2_900), wall: 0)
        #expect(clock.milliseconds == Self.now)
        clock.reach(.end(monotonicMilliseconds: 13_000), wall: 0)
        #expect(clock.milliseconds == Self.now + 10_000)
        clock.reach(.behind, wall: 0)
        clock.reach(.end(monotonicMilliseconds: 100_000), wall: 0)
        #expect(clock.milliseconds == Self.now + 10_000)
        clock.reach(.end(monotonicMilliseconds: 102_000), wall: 0)
        #expect(clock.milliseconds == Self.now + 10_000)
        clock.reach(.quiet(stampMilliseconds: Self.now + 99_000), wall: 0)
        #expect(clock.milliseconds == Self.now + 99_000)
    }

    @Test func `timestamps that do not move make way for our wall clock, and health says so`() {
        var clock = clock(.createTime)
        for index in 0..<20_000 {
            let wall = Self.now + Int64(index)
            let arrival = clock.arrival(0, following: [], wall: wall)
            clock.observe(0, moved: arrival > clock.milliseconds, wall: wall)
            clock.enter(arrival)
        }
        #expect(clock.health == .wall)
        #expect(clock.milliseconds == Self.now + 19_999)
    }

    @Test func `a sender's clock that is ahead is told to health`() {
        var clock = clock(.createTime)
        for second in 0..<130 {
            let wall = Self.now + Int64(second) * 1000
            clock.observe(wall + 120_000, moved: true, wall: wall)
        }
        #expect(clock.health == .skewed)
    }
}
