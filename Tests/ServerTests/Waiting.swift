import Threads

/// Looks until `condition` holds, for `limit` at most.
func waitUntil(_ limit: Duration = .seconds(10), _ condition: () -> Bool) -> Bool {
    let deadline = MonotonicInstant.now + limit
    let pause = Wakeup()
    while !condition() {
        guard MonotonicInstant.now < deadline else { return condition() }
        pause.sleep(.milliseconds(1))
    }
    return true
}

/// Runs one body on several threads and waits for all of them.
func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    let threads = try (0..<count).map { index in
        try NamedThread.start(name: "test \(index)") { body(index) }
    }
    for thread in threads { thread.join() }
}
