internal import Database
internal import JSON
public import Sampling

/// Force rules in a table of an SQLite database.
///
///     force_rules
///     ┌────┬────────────┬────────────┬────────────┬─────────┬─────────────────┐
///     │ id │ definition │ created_ms │ expires_ms │ matched │ last_matched_ms │
///     └────┴────────────┴────────────┴────────────┴─────────┴─────────────────┘
///           JSON, as people wrote it                counts, written back now and then
public final class SQLiteForceRules: ForceRuleStore {
    private let pool: ConnectionPool

    /// - Parameter path: The file is made when it is not there; its folder must be.
    public init(path: String) {
        pool = ConnectionPool(path: path)
    }

    public var words: String { "sqlite://\(pool.path)" }

    public func load() throws(ForceRuleStoreError) -> StoredForceRules {
        try withTable { (connection) throws(DatabaseError) in
            var stored = StoredForceRules()
            let rows = try connection.query(
                """
                SELECT id, definition, created_ms, expires_ms, matched, last_matched_ms FROM force_rules
                """)
            for row in rows {
                switch Self.rule(row) {
                case .success(let rule): stored.rules.append(rule)
                case .failure(let error):
                    stored.unreadable.append(.init(id: row[0].text ?? "", message: error.message))
                }
            }
            return stored
        }
    }

    public func put(_ rule: ForceRule) throws(ForceRuleStoreError) {
        let definition: String
        do throws(JSONError) {
            definition = try rule.definition.serialized()
        } catch {
            throw ForceRuleStoreError("the rule cannot be written: \(error)")
        }
        _ = try withTable { (connection) throws(DatabaseError) in
            try connection.execute(
                """
                INSERT INTO force_rules (id, definition, created_ms, expires_ms, matched, last_matched_ms)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, created_ms = excluded.created_ms,
                expires_ms = excluded.expires_ms, matched = excluded.matched,
                last_matched_ms = excluded.last_matched_ms
                """,
                [
                    .text(rule.id), .text(definition), .integer(rule.createdMilliseconds),
                    .integer(rule.expiresMilliseconds), .integer(rule.tracesMatched),
                    rule.lastMatchedMilliseconds.map { .integer($0) } ?? .null,
                ])
        }
    }

    public func delete(_ ids: [String]) throws(ForceRuleStoreError) {
        try withTransaction { (connection) throws(DatabaseError) in
            for id in ids { try connection.execute("DELETE FROM force_rules WHERE id = ?", [.text(id)]) }
        }
    }

    public func add(_ matches: [ForceRuleMatches]) throws(ForceRuleStoreError) {
        try withTransaction { (connection) throws(DatabaseError) in
            for match in matches {
                try connection.execute(
                    """
                    UPDATE force_rules SET matched = matched + ?, last_matched_ms = max(coalesce(last_matched_ms, 0), ?)
                    WHERE id = ?
                    """, [.integer(match.traceCount), .integer(match.lastMilliseconds), .text(match.id)])
            }
        }
    }

    private static func rule(_ row: [DatabaseValue]) -> Result<ForceRule, ForceRuleStoreError> {
        guard let id = row[0].text, let definition = row[1].text, let created = row[2].integer,
            let expires = row[3].integer, let matched = row[4].integer
        else { return .failure(ForceRuleStoreError("a column is not of its type")) }
        do throws(ForceRuleReadError) {
            var rule = try ForceRule.read(
                definition: Array(definition.utf8), createdMilliseconds: created, expiresMilliseconds: expires)
            guard rule.id == id else { return .failure(ForceRuleStoreError("the definition is that of \(rule.id)")) }
            rule.tracesMatched = matched
            rule.lastMatchedMilliseconds = row[5].integer
            return .success(rule)
        } catch {
            return .failure(ForceRuleStoreError(error.message))
        }
    }

    // MARK: Connections

    private func withTransaction(
        _ body: (Connection) throws(DatabaseError) -> Void
    ) throws(ForceRuleStoreError) {
        try withTable { (connection) throws(DatabaseError) in
            // Left open by an error, it is rolled back by the pool.
            try connection.beginImmediate()
            try body(connection)
            try connection.commit()
        }
    }

    private func withTable<Result>(
        _ body: (Connection) throws(DatabaseError) -> Result
    ) throws(ForceRuleStoreError) -> Result {
        do throws(DatabaseError) {
            return try pool.withConnection(
                { (connection) throws(DatabaseError) in
                    try connection.execute(
                        """
                        CREATE TABLE IF NOT EXISTS force_rules (id TEXT PRIMARY KEY NOT NULL, definition TEXT NOT NULL,
                        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, matched INTEGER NOT NULL DEFAULT 0,
                        last_matched_ms INTEGER) STRICT
                        """)
                    return try body(connection)
                }, orElse: { $0 })
        } catch {
            throw ForceRuleStoreError("\(words): \(error.message)")
        }
    }
}

extension ForceRuleReadError {
    /// All of it in one line.
    public var message: String {
        switch self {
        case .notJSON(let message): message
        case .refused(let error): error.messages.joined(separator: "; ")
        }
    }
}
