internal import Threads

/// Connections to one database for threads that come and go: each call has one for itself.
///
/// The lock guards the list of idle connections only; no call of SQLite is made under it.
public final class ConnectionPool: Sendable {
    /// Idle connections that are kept open.
    static let idleLimit = 4

    public let path: String
    public let busyTimeoutMilliseconds: Int32
    private let idle = Lock<[IdleConnection]>([])

    // Sendable: whoever has taken it out of the list is its only user.
    private final class IdleConnection: @unchecked Sendable {
        let connection: Connection

        init(_ connection: Connection) {
            self.connection = connection
        }
    }

    public init(path: String, busyTimeoutMilliseconds: Int32 = 5_000) {
        self.path = path
        self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
    }

    /// Calls `body` with a connection that no other thread has. A transaction that `body` leaves open is rolled back.
    public func withConnection<Result, Failure: Error>(
        _ body: (Connection) throws(Failure) -> Result, orElse convert: (DatabaseError) -> Failure
    ) throws(Failure) -> Result {
        let taken: IdleConnection
        if let known = idle.withLock({ $0.popLast() }) {
            taken = known
        } else {
            do {
                taken = IdleConnection(
                    try Connection(path: path, busyTimeoutMilliseconds: busyTimeoutMilliseconds))
            } catch {
                throw convert(error)
            }
        }
        defer {
            taken.connection.rollback()
            idle.withLock { if $0.count < Self.idleLimit { $0.append(taken) } }
        }
        return try body(taken.connection)
    }
}
