import Testing
import TraceModel

@testable import Pipeline

/// Where a partition goes on, by what table and group say.
struct StartRuleTests {
    private static let bounds = SourceBounds(start: 100, end: 900)

    private func position(resume: Int64 = 200, settled: Int64 = 300) -> Position {
        Position(
            epoch: 4, sequence: 9, resume: resume, settled: settled, clock: StreamTick(7), floor: 5, late: 6,
            anchor: nil)
    }

    private func rule(
        _ position: Position?, _ group: GroupOffset?, reset: OffsetReset = .earliest, epoch: Int64 = 5
    ) -> StartRule {
        StartRule(
            position: position, start: SourceStart(bounds: Self.bounds, group: group, reset: reset), tableUUID: "ours",
            generation: 1, epoch: epoch)
    }

    private func stamp(_ table: String = "ours", generation: Int64 = 1, epoch: Int64 = 4) -> GroupStamp {
        GroupStamp(tableUUID: table, generation: generation, epoch: epoch, sequence: 10, settled: 450)
    }

    @Test func `without position and offset the configuration decides`() {
        #expect(rule(nil, nil) == StartRule(resume: 100, settled: 100))
        #expect(rule(nil, nil, reset: .latest) == StartRule(resume: 900, settled: 900))
    }

    @Test func `the table's position stands when the group has nothing to add`() {
        let table = StartRule(resume: 200, settled: 300)
        #expect(rule(position(), nil) == table)
        #expect(rule(position(), GroupOffset(offset: 200, stamp: nil)) == table)
        #expect(rule(position(), GroupOffset(offset: 150, stamp: stamp())) == table)
    }

    @Test func `a newer stamp of this table goes further than its position`() {
        #expect(rule(position(), GroupOffset(offset: 400, stamp: stamp())) == StartRule(resume: 400, settled: 450))
        #expect(rule(nil, GroupOffset(offset: 400, stamp: stamp())) == StartRule(resume: 400, settled: 450))
    }

    @Test func `a stamp from the future, of another generation or table is not believed`() {
        let table = StartRule(resume: 200, settled: 300)
        #expect(rule(position(), GroupOffset(offset: 400, stamp: stamp(epoch: 6))) == table)
        #expect(rule(position(), GroupOffset(offset: 400, stamp: stamp(generation: 2))) == table)
        #expect(rule(position(), GroupOffset(offset: 400, stamp: stamp("other"))) == table)
    }

    @Test func `another table's stamp without a position: the configuration decides, and it is said`() {
        let group = GroupOffset(offset: 400, stamp: stamp("other"))
        #expect(
            rule(nil, group, reset: .latest)
                == StartRule(resume: 900, settled: 900, remark: .otherTable("other", start: 900)))
    }

    @Test func `an offset that somebody set is obeyed, forwards and back`() {
        #expect(
            rule(position(), GroupOffset(offset: 500, stamp: nil))
                == StartRule(resume: 500, settled: 500, remark: .operatorReset(to: 500, from: 200)))
        // Back: rows above the new place may lie in files that the position's floor leaves out.
        #expect(
            rule(position(), GroupOffset(offset: 120, stamp: nil))
                == StartRule(
                    resume: 120, settled: 120, readsAllFiles: true, remark: .operatorReset(to: 120, from: 200)))
        #expect(
            rule(nil, GroupOffset(offset: 120, stamp: nil))
                == StartRule(resume: 120, settled: 120, remark: .operatorReset(to: 120, from: nil)))
    }

    @Test func `a stamp is read as it was written, and nothing else is one`() {
        let stamp = stamp()
        #expect(stamp.text == "tss1 ours 1 4 10 450")
        #expect(GroupStamp(stamp.text) == stamp)
        for text in [
            "", "tss1", "tss2 ours 1 4 10 450", "tss1 ours 1 4 10", "tss1 ours 1 4 10 450 7", "tss1  1 4 10 450",
            "tss1 ours 1 4 10 -450", "tss1 ours 1 4 x 450", "tss1 ours 1 4 10 99999999999999999999",
        ] {
            #expect(GroupStamp(text) == nil, "\(text)")
        }
    }
}
