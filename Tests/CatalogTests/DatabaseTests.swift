import Database
import Foundation
import Testing

@Suite struct DatabaseTests {
    private func open(_ scratch: Scratch, timeout: Int32 = 1_000) throws -> Connection {
        try Connection(path: scratch.path + "/a.db", busyTimeoutMilliseconds: timeout)
    }

    @Test func `values of every type come back as they were`() throws {
        let scratch = try Scratch()
        let connection = try open(scratch)
        try connection.execute("CREATE TABLE t (a, b, c, d, e)")
        let rows: [[DatabaseValue]] = [
            [.null, .integer(.min), .real(-0.5), .text("é\u{0}日"), .blob([0, 255])],
            [.integer(.max), .text(""), .blob([]), .null, .real(.infinity)],
        ]
        for row in rows { #expect(try connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", row) == 1) }
        #expect(try connection.query("SELECT * FROM t ORDER BY rowid") == rows)
        #expect(try connection.query("SELECT d FROM t WHERE d = ?", [.text("é\u{0}日")]).count == 1)
    }

    @Test func `the log is written ahead and every commit is synced`() throws {
        let scratch = try Scratch()
        let connection = try open(scratch)
        #expect(try connection.query("PRAGMA journal_mode") == [[.text("wal")]])
        #expect(try connection.query("PRAGMA synchronous") == [[.integer(2)]])
    }

    @Test func `a second writer waits and then says busy`() throws {
        let scratch = try Scratch()
        let first = try open(scratch)
        try first.execute("CREATE TABLE t (a)")
        let second = try open(scratch, timeout: 50)
        try first.beginImmediate()
        try first.execute("INSERT INTO t VALUES (1)")
        let error = #expect(throws: DatabaseError.self) { try second.beginImmediate() }
        #expect(error?.code == .busy)
        // Readers are not kept out, and see what was committed.
        #expect(try second.query("SELECT * FROM t").isEmpty)
        try first.commit()
        try second.beginImmediate()
        #expect(try second.query("SELECT * FROM t").count == 1)
        second.rollback()
    }

    @Test func `a rolled back transaction leaves nothing`() throws {
        let scratch = try Scratch()
        let connection = try open(scratch)
        try connection.execute("CREATE TABLE t (a PRIMARY KEY)")
        try connection.beginImmediate()
        try connection.execute("INSERT INTO t VALUES (1)")
        let error = #expect(throws: DatabaseError.self) { try connection.execute("INSERT INTO t VALUES (1)") }
        #expect(error?.code == .constraint)
        connection.rollback()
        connection.rollback()
        #expect(try connection.query("SELECT * FROM t").isEmpty)
    }

    @Test func `more statements than are kept go on working`() throws {
        let scratch = try Scratch()
        let connection = try open(scratch)
        for round in 0..<3 {
            for number in 0..<200 {
                #expect(try connection.query("SELECT \(number)") == [[.integer(Int64(number))]], "round \(round)")
            }
        }
    }

    @Test func `what is wrong with the file is told apart`() throws {
        let scratch = try Scratch()
        let missing = #expect(throws: DatabaseError.self) {
            try Connection(path: scratch.path + "/none/a.db", busyTimeoutMilliseconds: 1)
        }
        #expect(missing?.code == .denied)
        try Data(repeating: 65, count: 8_192).write(to: URL(fileURLWithPath: scratch.path + "/a.db"))
        let damaged = #expect(throws: DatabaseError.self) { try open(scratch) }
        #expect(damaged?.code == .corrupt)
        let syntax = #expect(throws: DatabaseError.self) {
            try Connection(path: scratch.path + "/b.db", busyTimeoutMilliseconds: 1).execute("NONSENSE")
        }
        #expect(syntax?.code == .failed)
    }

    @Test func `a pool hands a connection to one caller at a time and ends what it left open`() throws {
        let scratch = try Scratch()
        let pool = ConnectionPool(path: scratch.path + "/a.db")
        func use<Result>(_ body: (Connection) throws(DatabaseError) -> Result) throws -> Result {
            try pool.withConnection(body) { $0 }
        }
        try use { (connection) throws(DatabaseError) in _ = try connection.execute("CREATE TABLE t (a)") }
        try use { (connection) throws(DatabaseError) in
            try connection.beginImmediate()
            try connection.execute("INSERT INTO t VALUES (1)")
        }
        #expect(try use { (connection) throws(DatabaseError) in try connection.query("SELECT * FROM t") }.isEmpty)
    }
}
