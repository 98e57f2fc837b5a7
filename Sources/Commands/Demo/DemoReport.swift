internal import Threads

/// The steps of the demo as they are shown: a line each, then the counts.
struct DemoReport {
    enum Outcome: String {
        case pass
        case fail
        case skip
    }

    private(set) var passedCount = 0
    private(set) var failedCount = 0
    private(set) var skips: [String] = []

    /// Runs a step and shows it with what was seen and how long it took.
    ///
    /// - Returns: Whether it passed.
    @discardableResult
    mutating func step(_ name: String, _ body: () throws(DemoFailure) -> String) -> Bool {
        let start = MonotonicInstant.now
        do throws(DemoFailure) {
            let seen = try body()
            passedCount += 1
            show(name, .pass, seen, since: start)
            return true
        } catch {
            failedCount += 1
            show(name, .fail, error.message, since: start)
            return false
        }
    }

    /// A step that this set-up cannot have.
    mutating func skip(_ name: String, because reason: String) {
        skips.append(reason)
        show(name, .skip, reason, since: .now)
    }

    /// The last line: counts, and what to try next.
    func finish(next: String?) {
        let reasons = Set(skips).sorted().joined(separator: "; ")
        print(
            "\(passedCount) passed, \(failedCount) failed, \(skips.count) skipped"
                + (skips.isEmpty ? "" : " (\(reasons))") + (next.map { "      next: \($0)" } ?? ""))
    }

    private func show(_ name: String, _ outcome: Outcome, _ seen: String, since start: MonotonicInstant) {
        let milliseconds = (.now - start).wholeMilliseconds
        let time = milliseconds >= 100 ? "   (\(milliseconds / 1000).\(milliseconds % 1000 / 100) s)" : ""
        let padding = String(repeating: " ", count: max(1, 28 - name.count))
        print("\(name)\(padding)\(outcome.rawValue)  \(seen)\(time)")
    }
}
