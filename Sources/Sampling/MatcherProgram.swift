/// The questions about spans that are asked while they are scanned.
public struct MatcherProgram: Sendable {
    public init() {}
}
