// Surface that the rest of the program builds on; the bodies come with the format's own files.

/// A table's metadata file, version 2.
public struct TableMetadata: Sendable {
    public init() {}
}
public struct Schema: Sendable {}
public struct PartitionSpec: Sendable {}
public struct SortOrder: Sendable {}
public enum TableRequirement: Sendable {}
public enum TableUpdate: Sendable {}
