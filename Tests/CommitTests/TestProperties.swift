@testable import Pipeline

/// What only the module itself writes.
enum TestProperties {
    static func position(_ position: Position, of id: PartitionID) -> [String: String] {
        [TableProperties.positionKey(id): position.json]
    }
}
