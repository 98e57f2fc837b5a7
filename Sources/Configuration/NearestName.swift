/// Finds the name a person probably meant.
public enum NearestName {
    /// The known name with the smallest distance to `name`, nil when none is near.
    ///
    /// Near is at most a third of the name's length, and at least one edit. Ties go to the first.
    public static func of(_ name: String, among known: some Sequence<String>) -> String? {
        let typed = Array(name.lowercased().utf8)
        // A typo lies in the first characters too; a longer text is no name.
        guard typed.count <= lengthLimit else { return nil }
        let limit = max(1, typed.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in known {
            let letters = Array(candidate.lowercased().utf8)
            guard abs(letters.count - typed.count) <= limit else { continue }
            let distance = distance(typed, letters)
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// "; did you mean X?" or nothing: the end of a message about an unknown name.
    public static func hint(_ name: String, among known: some Sequence<String>) -> String {
        of(name, among: known).map { "; did you mean \($0)?" } ?? ""
    }

    /// Longest name that is compared, in bytes.
    static let lengthLimit = 200

    /// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours count 1.
    ///
    /// - Complexity: O(*n* · *m*) time, three rows of memory.
    static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...other.count)
        for row in 0..<one.count {
            var current = [row + 1]
            for column in 0..<other.count {
                let isSame = one[row] == other[column]
                var cost = min(
                    last[column] + (isSame ? 0 : 1), last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, one[row] == other[column - 1], one[row - 1] == other[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[other.count]
    }
}
