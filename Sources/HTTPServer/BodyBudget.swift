import Synchronization

/// The memory that all bodies of a server may take together.
final class BodyBudget: Sendable {
    let limitBytes: Int
    private let used = Atomic<Int>(0)
    private let observer: any HTTPServerObserver

    init(limitBytes: Int, observer: any HTTPServerObserver) {
        self.limitBytes = limitBytes
        self.observer = observer
    }

    var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Takes bytes, or nothing when that would pass the limit.
    func take(_ bytes: Int) -> Bool {
        let (before, _) = used.add(bytes, ordering: .relaxed)
        guard before + bytes <= limitBytes else {
            used.subtract(bytes, ordering: .relaxed)
            return false
        }
        observer.bodyMemory(bytes)
        return true
    }

    func give(_ bytes: Int) {
        guard bytes > 0 else { return }
        used.subtract(bytes, ordering: .relaxed)
        observer.bodyMemory(-bytes)
    }
}
