import JSON
import Testing

@testable import Sampling

struct ForceRuleReadingTests {
    private static let now: Int64 = 1_700_000_000_000

    private static func read(_ text: String) throws -> ForceRule {
        try ForceRule.read(Array(text.utf8), madeID: "made", now: now)
    }

    /// What is wrong with a body; empty when nothing is.
    private static func problems(_ text: String) -> [String] {
        do throws(ForceRuleReadError) {
            _ = try ForceRule.read(Array(text.utf8), madeID: "made", now: now)
            return []
        } catch {
            switch error {
            case .notJSON(let message): return ["not JSON: \(message)"]
            case .refused(let error): return error.messages
            }
        }
    }

    /// A rule that is right but for the members that the text adds or repeats.
    private static func body(_ members: String, action: String = "force_keep") -> String {
        "{\"description\":\"why\",\"duration_secs\":60,\"action\":\"\(action)\",\(members)}"
    }

    private static func matcher(_ text: String) -> String { body("\"match\":{\"span\":[\(text)]}") }

    @Test func `a short rule has the defaults`() throws {
        let rule = try Self.read(Self.body("\"match\":{}"))
        #expect(rule.id == "made" && rule.priority == 100 && rule.isEnabled && !rule.matchesAll)
        #expect(rule.createdMilliseconds == Self.now && rule.expiresMilliseconds == Self.now + 60_000)
        #expect(rule.remainingSeconds(at: Self.now) == 60 && rule.remainingSeconds(at: Self.now + 60_001) == 0)
        #expect(rule.remainingSeconds(at: Self.now + 59_001) == 1)
        #expect(rule.isExpired(at: Self.now + 60_000) && !rule.isExpired(at: Self.now + 59_999))
        #expect(rule.createdBy == nil && rule.resource.isEmpty && rule.span.isEmpty)
    }

    @Test func `everything that can be written comes back from what is written of it`() throws {
        let rule = try Self.read(
            """
            {"id": "a.B-9_", "description": "checkout ✓", "duration_secs": 604800, "priority": -5, "enabled": false,
             "action": "force_drop", "match_all": true, "created_by": "anna",
             "match": {"resource": [{"key": "service.name", "op": "in", "values": ["a", "b", 5]}],
                       "span": [{"key": "http.status_code", "op": "gte", "value": "500"},
                                {"key": "ratio", "op": "lt", "value": 0.5}, {"key": "x", "op": "exists"},
                                {"key": "flag", "op": "neq", "value": true}, {"key": "n", "op": "in", "value": [1]},
                                {"key": "name", "op": "regex", "value": "^POST /v[0-9]+$"},
                                {"key": "kind", "op": "eq", "value": "SERVER"}]}}
            """)
        #expect(rule.span.count == 7 && rule.resource[0].values == [.text("a"), .text("b"), .integer(5)])
        let again = try ForceRule.read(
            definition: rule.definition.bytes(), createdMilliseconds: rule.createdMilliseconds,
            expiresMilliseconds: rule.expiresMilliseconds)
        #expect(again == rule)
        let json = rule.json(at: Self.now + 1000) { "\($0)" }
        #expect(json["remaining_secs"] == 604_799 && json["created_at"] == .string("\(Self.now)"))
        #expect(json["match"]?["span"]?.array?[0] == ["key": "http.status_code", "op": "gte", "value": "500"])
        #expect(json["traces_matched"] == 0 && json["last_matched_at"] == .null && json["created_by"] == "anna")
    }

    @Test func `what is no JSON object is told apart`() {
        for text in ["", "{", "[]", "5", "{\"id\":\"a\",\"id\":\"b\"}", "{} x"] {
            #expect(Self.problems(text).first?.hasPrefix("not JSON: ") == true, "\(text)")
        }
    }

    @Test(arguments: [
        (body("\"prority\":5"), "body:1:63: prority: unknown member; did you mean priority?"),
        (body("\"created_at\":\"x\""), "created_at: is set by the server: leave it out"),
        (body("\"id\":\"a b\""), "id: an id has 1 to 64 letters"),
        (body("\"id\":\"\""), "id: an id has 1 to 64 letters"),
        (body("\"id\":\"\(String(repeating: "a", count: 65))\""), "id: an id has 1 to 64 letters"),
        (body("\"id\":5"), "id: expected a text, found \"5\""),
        (body("\"priority\":1.5"), "priority: expected a whole number"),
        (body("\"priority\":\"1\""), "priority: expected a whole number, found \"1\" in quotes"),
        (body("\"priority\":1000001"), "priority: must be -1000000 to 1000000"),
        (body("\"enabled\":1"), "enabled: expected true or false"),
        (body("\"match\":[]"), "match: expected a map, found a list"),
        (body("\"match\":{\"spans\":[]}"), "match.spans: unknown member; did you mean span?"),
        (body("\"match\":{}", action: "force_dorp"), "action: unknown: \"force_dorp\"; did you mean force_drop?"),
        (body("\"match\":{}", action: "force_drop"), "match: an empty match drops nearly every trace"),
        ("{\"duration_secs\":1,\"action\":\"force_keep\"}", "description: is required"),
        ("{\"description\":\" \",\"duration_secs\":1,\"action\":\"force_keep\"}", "description: is required"),
        ("{\"description\":\"d\",\"action\":\"force_keep\"}", "duration_secs: is required, in seconds"),
        ("{\"description\":\"d\",\"duration_secs\":0,\"action\":\"force_keep\"}", "duration_secs: must be 1 to 604800"),
        (
            "{\"description\":\"d\",\"duration_secs\":604801,\"action\":\"force_keep\"}",
            "duration_secs: must be 1 to 604800"
        ),
        ("{\"description\":\"d\",\"duration_secs\":60}", "action: is required: force_keep, force_drop"),
        (
            matcher("{\"key\":\"a\",\"op\":\"equals\",\"value\":1}"),
            "match.span[0].op: unknown: \"equals\"; known are eq,"
        ),
        (matcher("{\"key\":\"a\",\"op\":\"start_with\",\"value\":1}"), "did you mean starts_with?"),
        (matcher("{\"op\":\"eq\",\"value\":1}"), "match.span[0].key: is required"),
        (matcher("{\"key\":\"\",\"op\":\"eq\",\"value\":1}"), "match.span[0].key: is required"),
        (matcher("{\"key\":\"a\",\"value\":1}"), "match.span[0].op: is required"),
        (matcher("{\"key\":\"a\",\"op\":\"eq\"}"), "match.span[0].value: eq needs a value"),
        (matcher("{\"key\":\"a\",\"op\":\"eq\",\"value\":null}"), "match.span[0].value: eq needs a value"),
        (matcher("{\"key\":\"a\",\"op\":\"eq\",\"value\":[1]}"), "eq takes one value; the operator in takes a list"),
        (matcher("{\"key\":\"a\",\"op\":\"eq\",\"value\":{}}"), "value: expected a text, a number, true or false"),
        (matcher("{\"key\":\"a\",\"op\":\"in\",\"values\":[]}"), "values: an empty list finds nothing"),
        (matcher("{\"key\":\"a\",\"op\":\"in\",\"values\":\"b\"}"), "values: expected a list"),
        (matcher("{\"key\":\"a\",\"op\":\"in\",\"value\":[null]}"), "match.span[0].value[0]: expected a text"),
        (
            matcher("{\"key\":\"a\",\"op\":\"in\",\"value\":[1],\"values\":[1]}"),
            "values: beside value: give one of them"
        ),
        (matcher("{\"key\":\"a\",\"op\":\"exists\",\"value\":false}"), "exists takes none; its opposite is not_exists"),
        (matcher("{\"key\":\"a\",\"op\":\"regex\",\"value\":\"a(b\"}"), "match.span[0].value: no regular expression"),
        (matcher("{\"key\":\"a\",\"op\":\"regex\",\"value\":\"(?=x)\"}"), "match.span[0].value: no regular expression"),
        (
            matcher("{\"key\":\"a\",\"op\":\"regex\",\"value\":\"\(String(repeating: "x", count: 1025))\"}"),
            "no regular expression: pattern of 1025 bytes"
        ),
        (matcher("{\"key\":\"a\",\"op\":\"contains\",\"value\":\"\"}"), "an empty text is in every text"),
        (matcher("{\"key\":\"a\",\"op\":\"gt\",\"value\":\"many\"}"), "gt compares numbers, and \"many\" is none"),
        (matcher("{\"key\":\"a\",\"op\":\"lte\",\"value\":true}"), "lte compares numbers, and true is none"),
        (matcher("{\"key\":\"a\",\"op\":\"eq\",\"value\":1e999}"), "1:"),
        (
            matcher("{\"key\":\"a\",\"op\":\"eq\",\"valeu\":1}"),
            "match.span[0].valeu: unknown member; did you mean value?"
        ),
        (matcher("{\"key\":\"status\",\"op\":\"eq\",\"value\":\"EROR\"}"), "; did you mean ERROR?"),
        (
            matcher("{\"key\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}"),
            "an attribute of the name is attributes.status"
        ),
        (matcher("{\"key\":\"status\",\"op\":\"eq\",\"value\":3}"), "3: known are 0 to 2"),
        (matcher("{\"key\":\"kind\",\"op\":\"contains\",\"value\":\"S\"}"), "contains asks nothing of the span's kind"),
        (matcher("{\"key\":\"name\",\"op\":\"gt\",\"value\":1}"), "gt asks nothing of the span's name"),
        (matcher("{\"key\":\"name\",\"op\":\"not_exists\"}"), "every span has a name"),
        (
            matcher("{\"key\":\"duration_ms\",\"op\":\"eq\",\"value\":\"long\"}"),
            "\"long\" is no number of milliseconds"
        ),
        (matcher("5"), "match.span[0]: expected a map, found \"5\""),
        (
            matcher(Array(repeating: "{\"key\":\"a\",\"op\":\"exists\"}", count: 17).joined(separator: ",")),
            "match.span: 17 matchers; at most 16 are taken"
        ),
    ])
    func `a mistake is named with its place`(body: String, message: String) {
        let problems = Self.problems(body)
        #expect(problems.contains { $0.contains(message) }, "\(problems)")
    }

    @Test func `all mistakes come at once`() {
        let problems = Self.problems(
            """
            {"descripton": "typo", "duration_secs": -1, "action": "keep",
             "match": {"span": [{"key": "a", "op": "like", "value": 1}, {"key": "b", "op": "gt", "value": "x"}],
                       "resource": [{"key": "c", "op": "regex", "value": "["}]}}
            """)
        #expect(problems.count == 7, "\(problems)")
        #expect(problems.allSatisfy { $0.hasPrefix("body:") })
    }

    @Test(arguments: [
        (
            "\"match\":{\"span\":[{\"key\":\"a\",\"op\":\"neq\",\"value\":1},{\"key\":\"b\",\"op\":\"not_exists\"}]}",
            false
        ),
        ("\"match\":{\"span\":[{\"key\":\"a\",\"op\":\"neq\",\"value\":1},{\"key\":\"b\",\"op\":\"exists\"}]}", true),
        ("\"match\":{\"resource\":[{\"key\":\"a\",\"op\":\"neq\",\"value\":1}]}", false),
        (
            "\"match\":{\"resource\":[{\"key\":\"a\",\"op\":\"eq\",\"value\":1}],"
                + "\"span\":[{\"key\":\"b\",\"op\":\"not_exists\"}]}", false
        ),
        ("\"match\":{\"resource\":[{\"key\":\"a\",\"op\":\"eq\",\"value\":1}]}", true),
        ("\"match_all\":true", true),
        ("\"match_all\":true,\"match\":{\"span\":[{\"key\":\"b\",\"op\":\"not_exists\"}]}", true),
        ("\"match_all\":false", false),
    ])
    func `a drop that names nothing is refused unless it is meant`(members: String, isTaken: Bool) {
        let problems = Self.problems(Self.body(members, action: "force_drop"))
        #expect(problems.isEmpty == isTaken, "\(problems)")
        #expect(isTaken || problems.contains { $0.contains("\"match_all\": true") })
        #expect(Self.problems(Self.body(members)).isEmpty)
    }

    @Test func `an extension is whole seconds`() throws {
        #expect(try ForceRule.readExtension(Array("{\"additional_secs\":30}".utf8)) == 30)
        for text in ["{}", "{\"additional_secs\":0}", "{\"additional_secs\":\"5\"}", "{\"seconds\":5}", "[]"] {
            #expect(throws: ForceRuleReadError.self, "\(text)") { try ForceRule.readExtension(Array(text.utf8)) }
        }
    }
}
