import Configuration
import Foundation
import Testing
import TraceModel
import YAML

@testable import Sampling

/// Every kind's rules as data: Cases/<kind>.yaml.
struct PolicyCaseTests {
    static let files = Bundle.module.resourceURL!.appendingPathComponent("Cases")

    @Test(arguments: PolicyCatalog.kinds.map { $0.typeName } + ["combination"])
    func `every case answers as written`(file: String) throws {
        let url = Self.files.appendingPathComponent(file + ".yaml")
        let node = try #require(try YAMLText.parse(Array(Data(contentsOf: url)), name: file + ".yaml"))
        var caseCount = 0
        for group in try node.list() { caseCount += try check(group) }
        #expect(caseCount >= 4, "\(file) has too few cases")
    }

    /// One group: policies with traces, or a policy with the words it is refused by.
    private func check(_ group: Node) throws -> Int {
        var fields = Fields(group, path: "", place: group.place)
        var problems = Problems()
        if let refused = fields.list("refused") {
            let with = fields.text("with")
            let words = try #require(with)
            _ = compile(refused, &problems)
            #expect(
                problems.errors.contains { $0.description.contains(words) },
                "\(group.place): \(problems.list.map(\.description))")
            return 1
        }
        let written = fields.list("policies")
        let list = try #require(written, "\(group.place)")
        let compiled = compile(list, &problems)
        let sampler = try #require(compiled, "\(group.place): \(problems.errors)")
        if let words = fields.text("warns") {
            #expect(problems.warnings.contains { $0.description.contains(words) }, "\(group.place)")
        }
        let cases = fields.list("cases") ?? []
        var state = sampler.makeState(partitionCount: fields.integer("partitions").map { Int($0) } ?? 1)
        for node in cases { try check(node, sampler, &state) }
        fields.finish()
        #expect(fields.problems.list.isEmpty, "\(fields.problems.list)")
        return max(cases.count, 1)
    }

    private func compile(_ list: [Node], _ problems: inout Problems) -> Sampler? {
        let node = Node(.list(list), at: list.first?.place ?? .builtIn)
        let policies = PolicyCatalog.policies(in: node, path: "policies", problems: &problems)
        if problems.hasErrors { return nil }
        do throws(SamplingError) {
            let sampler = try Sampler(policies: policies)
            problems.add(sampler.warnings)
            return sampler
        } catch {
            problems.add(error.problems)
            return nil
        }
    }

    private func check(_ node: Node, _ sampler: Sampler, _ state: inout SamplerState) throws {
        var fields = Fields(node, path: "", place: node.place)
        let statuses = fields.texts("statuses")?.map(\.text) ?? ["UNSET"]
        let id = TraceID(hexadecimal: fields.text("id") ?? String(repeating: "12345678", count: 4))
        let states = fields.texts("states")?.map(\.text) ?? []
        let spans = fields.list("attributes") ?? states.map { _ in Node(.map([]), at: node.place) }
        let trace = TraceSummary.fixture(
            id: try #require(id),
            spans: UInt32(fields.integer("spans") ?? 1), milliseconds: fields.integer("ms") ?? 10,
            statuses: StatusCode.Code.allCases.filter { statuses.contains($0.name) },
            isFlagged: fields.boolean("flagged") ?? false,
            randomness: fields.integer("rv").map { UInt64($0) },
            matches: try ScannedTrace.matches(
                sampler.program, spans: spans, resource: fields.node("resource"), states: states))
        let decision = sampler.decide(
            trace, state: &state, atMilliseconds: fields.integer("at") ?? 0,
            traceBytes: fields.integer("bytes").map { Int($0) })
        let votes = sampler.votes(trace, outcomes: state.votes)
        if let verdict = fields.text("verdict") {
            #expect(decision.verdict.description == verdict, "\(node.place)")
        }
        if let policy = fields.text("by") { #expect(decision.policy == policy, "\(node.place)") }
        if let expected = fields.texts("votes")?.map(\.text) {
            #expect(votes.map(\.outcome.description) == expected, "\(node.place)")
        }
        if let words = fields.text("says") { #expect(votes[0].explanation == words, "\(node.place)") }
        if let count = fields.number("count") {
            #expect(abs(decision.adjustedCount - count) < 1e-9, "\(node.place): \(decision.adjustedCount)")
        }
        fields.finish()
        #expect(fields.problems.list.isEmpty, "\(fields.problems.list)")
    }
}
