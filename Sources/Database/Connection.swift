internal import CSQLite

/// One value of a row or of a statement's parameters.
public enum DatabaseValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    public var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    public var integer: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }

    public var blob: [UInt8]? {
        if case .blob(let bytes) = self { bytes } else { nil }
    }
}

/// A connection to an SQLite database: for one thread at a time.
///
/// Opened with a write-ahead log and `synchronous=FULL`: a commit that returns has survived a power cut. Transactions
/// that write are immediate, because one that starts by reading fails at once, without waiting, when another
/// connection has written since (SQLITE_BUSY_SNAPSHOT).
public final class Connection {
    /// Prepared statements that are kept.
    static let statementLimit = 64
    /// Rows that one query may return.
    public static let rowLimit = 1_000_000

    // Freed in `deinit`, with the statements before it.
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    /// Opens the file, which is made when it is not there; its directory must be.
    ///
    /// - Parameter busyTimeoutMilliseconds: How long a call waits for the lock of another connection.
    public init(path: String, busyTimeoutMilliseconds: Int32) throws(DatabaseError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let result = sqlite3_open_v2(path, &opened, flags, nil)
        guard result == SQLITE_OK, let opened else {
            // A failed open still gives a handle, which has the message and must be closed.
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw Self.error(result, "cannot open \(path): \(message)")
        }
        handle = opened
        sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
        try enterWriteAheadLog(busyTimeoutMilliseconds)
        _ = try query("PRAGMA synchronous=FULL")
        _ = try query("PRAGMA foreign_keys=ON")
    }

    /// The mode stays in the file. Entering it fails at once while others are at the file, whatever the busy timeout
    /// says, so the first of several processes to come may have to try again.
    private func enterWriteAheadLog(_ timeoutMilliseconds: Int32) throws(DatabaseError) {
        let pauseMilliseconds: Int32 = 10
        var waitedMilliseconds: Int32 = 0
        while try query("PRAGMA journal_mode") != [[.text("wal")]] {
            do throws(DatabaseError) {
                guard try query("PRAGMA journal_mode=WAL") == [[.text("wal")]] else {
                    throw DatabaseError(.denied, resultCode: SQLITE_CANTOPEN, "the file system allows no shared memory")
                }
            } catch {
                guard error.code == .busy, waitedMilliseconds < timeoutMilliseconds else { throw error }
                sqlite3_sleep(pauseMilliseconds)
                waitedMilliseconds += pauseMilliseconds
            }
        }
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    /// Runs one statement.
    ///
    /// - Returns: How many rows it inserted, updated or deleted.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [DatabaseValue] = []) throws(DatabaseError) -> Int {
        try run(sql, parameters) { _ in false }
        return Int(sqlite3_changes64(handle))
    }

    /// Runs one statement and gives its rows.
    public func query(_ sql: String, _ parameters: [DatabaseValue] = []) throws(DatabaseError) -> [[DatabaseValue]] {
        var rows: [[DatabaseValue]] = []
        try run(sql, parameters) { statement in
            rows.append((0..<sqlite3_column_count(statement)).map { Self.column($0, of: statement) })
            return rows.count < Self.rowLimit
        }
        return rows
    }

    public func beginImmediate() throws(DatabaseError) { try execute("BEGIN IMMEDIATE") }
    /// After an error nobody knows whether the transaction was applied, unless `rollback` finds it still open.
    public func commit() throws(DatabaseError) { try execute("COMMIT") }

    /// Ends an open transaction without its changes; does nothing when there is none.
    public func rollback() {
        guard sqlite3_get_autocommit(handle) == 0 else { return }
        _ = try? execute("ROLLBACK")
    }

    /// - Parameter onRow: Returns whether to go on.
    private func run(
        _ sql: String, _ parameters: [DatabaseValue], onRow: (OpaquePointer) -> Bool
    ) throws(DatabaseError) {
        let statement = try prepare(sql)
        defer {
            // Also ends the statement's hold on the database.
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in parameters.enumerated() {
            let result = Self.bind(value, at: Int32(index + 1), of: statement)
            guard result == SQLITE_OK else { throw error(result, sql) }
        }
        while true {
            let result = sqlite3_step(statement)
            switch result {
            case SQLITE_ROW: if !onRow(statement) { return }
            case SQLITE_DONE: return
            default: throw error(result, sql)
            }
        }
    }

    private func prepare(_ sql: String) throws(DatabaseError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var prepared: OpaquePointer?
        let result = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard result == SQLITE_OK, let prepared else { throw error(result, sql) }
        if statements.count >= Self.statementLimit, let oldest = statements.popFirst() {
            sqlite3_finalize(oldest.value)
        }
        statements[sql] = prepared
        return prepared
    }

    private static func bind(_ value: DatabaseValue, at index: Int32, of statement: OpaquePointer) -> Int32 {
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let number): sqlite3_bind_int64(statement, index, number)
        case .real(let number): sqlite3_bind_double(statement, index, number)
        case .text(let text):
            // Copied by SQLite during the call.
            sqlite3_bind_text(statement, index, text, Int32(clamping: text.utf8.count), csqlite_transient())
        case .blob(let bytes):
            bytes.withUnsafeBytes {
                // A null pointer would bind NULL: an empty blob has a length of its own.
                $0.isEmpty
                    ? sqlite3_bind_zeroblob(statement, index, 0)
                    : sqlite3_bind_blob64(statement, index, $0.baseAddress, UInt64($0.count), csqlite_transient())
            }
        }
    }

    /// Copies the value: the pointer lives until the next step.
    private static func column(_ index: Int32, of statement: OpaquePointer) -> DatabaseValue {
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, index))
        case SQLITE_TEXT:
            // The pointer before its length: the call may convert the value.
            guard let start = sqlite3_column_text(statement, index) else { return .text("") }
            let count = Int(sqlite3_column_bytes(statement, index))
            return .text(String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            guard let start = sqlite3_column_blob(statement, index) else { return .blob([]) }
            let count = Int(sqlite3_column_bytes(statement, index))
            return .blob(Array(UnsafeRawBufferPointer(start: start, count: count)))
        default: return .null
        }
    }

    private func error(_ result: Int32, _ sql: String) -> DatabaseError {
        Self.error(result, "\(sql.prefix(80)): \(String(cString: sqlite3_errmsg(handle)))")
    }

    private static func error(_ result: Int32, _ message: String) -> DatabaseError {
        let code: DatabaseError.Code =
            switch result & 0xFF {
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_CONSTRAINT: .constraint
            case SQLITE_FULL: .full
            case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
            case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: .denied
            default: .failed
            }
        return DatabaseError(code, resultCode: result, message)
    }
}
