import Foundation
import Testing

@testable import TraceBuffering

/// The buffer against the naive one. `TSS_PROPERTY_STEPS` sets the steps of all runs together, for a long run.
@Suite struct BufferPropertyTests {
    static let steps = ProcessInfo.processInfo.environment["TSS_PROPERTY_STEPS"].flatMap { Int($0) } ?? 14_000

    struct Shape: CustomTestStringConvertible {
        var testDescription: String
        var idCount: Int
        var change: @Sendable (inout BufferLimits) -> Void
    }

    static let shapes = [
        Shape(testDescription: "in memory", idCount: 100) { _ in },
        Shape(testDescription: "few ids, tiny limits", idCount: 6) {
            $0.traces = 3
            $0.bytes = 9000
            $0.segmentBytes = 800
        },
        Shape(testDescription: "spilled", idCount: 100) {
            $0.spills = true
            $0.bytes = 60_000
            $0.segmentBytes = 4000
        },
        Shape(testDescription: "spilled, tiny segments", idCount: 15) {
            $0.spills = true
            $0.bytes = 20_000
            $0.segmentBytes = 700
            $0.segmentsInFlight = 2
        },
        Shape(testDescription: "spilled above half", idCount: 60) {
            $0.spills = true
            $0.bytes = 60_000
            $0.segmentBytes = 4000
            $0.spillsAboveBytes = 30_000
        },
        Shape(testDescription: "always read", idCount: 40) { $0.alwaysReads = true },
        Shape(testDescription: "long waits", idCount: 300) {
            $0.inactivityTicks = 9000
            $0.rootInactivityTicks = 7000
            $0.maximumDurationTicks = 30_000
        },
    ]

    @Test(arguments: shapes, [UInt64(1), 2, 3])
    func `orders, summaries, spans and counts are those of the naive buffer`(shape: Shape, seed: UInt64) {
        var limits = BufferLimits()
        limits.inactivityTicks = 24
        limits.rootInactivityTicks = 9
        limits.maximumDurationTicks = 70
        limits.bytes = 1 << 20
        limits.segmentBytes = 20_000
        limits.traces = 400
        shape.change(&limits)
        var run = BufferRun(seed: seed, limits: limits, idCount: shape.idCount)
        let steps = Self.steps / Self.shapes.count / 3
        for step in 0..<steps {
            run.step()
            if let fault = run.fault {
                Issue.record("\(shape.testDescription), seed \(seed), step \(step): \(fault)")
                return
            }
        }
        run.finish()
        #expect(run.fault == nil, "\(shape.testDescription), seed \(seed), at the end")
        #expect(run.decided > steps / 50)
        #expect(run.readBack > 0 || !(limits.spills || limits.alwaysReads) || steps < 600)
        print(
            "\(shape.testDescription), seed \(seed): \(steps) steps, \(run.decided) decided, \(run.readBack) reads,"
                + " \(run.rematched) segments matched anew, \(run.staleCount) traces stale")
    }
}
