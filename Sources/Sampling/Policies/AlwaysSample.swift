public import Configuration
public import TraceModel

/// `always_sample`: keeps every trace.
public struct AlwaysSample: TraceLevelPolicyKind {
    public static let typeName = "always_sample"

    public init() {}

    public init(reading fields: inout Fields) {}

    public func condition(_ compiler: inout PolicyCompiler) -> Condition { Condition(.always) }

    public var words: String { "every trace" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String { "always" }
}
