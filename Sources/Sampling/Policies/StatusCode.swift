public import Configuration
internal import OTLPWire
public import TraceModel

/// `status_code`: keeps a trace in which some span has one of the codes.
public struct StatusCode: BasicPolicyKind {
    public static let typeName = "status_code"

    public enum Code: UInt8, Sendable, CaseIterable {
        case unset = 0
        case ok = 1
        case error = 2

        /// As written in the configuration.
        var name: String {
            switch self {
            case .unset: "UNSET"
            case .ok: "OK"
            case .error: "ERROR"
            }
        }

        var bit: UInt8 { 1 << rawValue }
    }

    /// Never empty.
    public var codes: [Code]

    static let errorBit = Code.error.bit

    public init(_ codes: [Code]) {
        self.codes = codes
    }

    public init(reading fields: inout Fields) {
        codes = []
        guard let texts = fields.texts("status_codes"), !texts.isEmpty else {
            if fields.problems.list.isEmpty {
                fields.error("status_codes", "name at least one of OK, ERROR, UNSET")
            }
            return
        }
        for (index, item) in texts.enumerated() {
            if let code = Code.allCases.first(where: { $0.name == item.text }) {
                if !codes.contains(code) { codes.append(code) }
            } else {
                fields.problems.error(
                    at: item.place, key: "\(fields.key("status_codes"))[\(index)]",
                    "unknown status code \"\(item.text)\"" + Self.hint(item.text))
            }
        }
    }

    private static func hint(_ text: String) -> String {
        let near = NearestName.hint(text, among: Code.allCases.map(\.name))
        return near.isEmpty ? "; known are OK, ERROR, UNSET" : near
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        Condition(.statusCode(mask: codes.reduce(0) { $0 | $1.bit }))
    }

    public var words: String { "traces in which a span has status \(names(" or "))" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        "\(codes == [.error] ? "errors" : "status \(names(" or "))") \(isMet ? "yes" : "no")"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        if isMet {
            search.span(satisfying: [MatcherTerm(anyOf: tests)])
        } else {
            search.trace("status_code", explanation(search.trace, isMet: false))
        }
    }

    private var tests: [MatcherTest] {
        codes.map { MatcherTest(.field(.statusCode), .intIn(Int64($0.rawValue)...Int64($0.rawValue))) }
    }

    private func names(_ separator: String) -> String { codes.map(\.name).joined(separator: separator) }
}
