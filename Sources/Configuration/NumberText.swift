/// Numbers as people write them.
public enum NumberText {
    /// Shortest decimal text, whole numbers without a fraction: 0, 1, 0.05.
    public static func of(_ number: Double) -> String {
        if number == number.rounded(), abs(number) < 1e15 { return String(Int64(number)) }
        return "\(number)"
    }
}
