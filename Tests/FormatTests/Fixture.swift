import Foundation
import JSON
import Testing

/// Files beside the tests; each folder's README says who made them.
enum Fixture {
    static func bytes(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
        return Array(try Data(contentsOf: url))
    }

    static func json(_ name: String) throws -> JSONNode { try JSONNode(parsing: bytes(name)) }
}

extension JSONNode {
    func member(_ key: String) throws -> JSONNode { try object().required(key) }

    /// Bytes that JSON has as base64.
    func base64() throws -> [UInt8] { Array(try #require(Data(base64Encoded: try string()))) }

    /// A map whose keys are whole numbers.
    func byNumber<Value>(_ read: (JSONNode) throws -> Value) throws -> [Int32: Value] {
        var values: [Int32: Value] = [:]
        for member in try object() { values[try #require(Int32(member.key))] = try read(member.node) }
        return values
    }
}
