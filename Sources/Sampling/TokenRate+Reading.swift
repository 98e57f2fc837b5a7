internal import Configuration

extension TokenRate {
    /// Reads the members of a limiter. A rate below 0 is taken as 0, and lets nothing through.
    init(reading fields: inout Fields, _ member: String, of what: String) {
        let perSecond = fields.integer(member) ?? 0
        let burst = fields.integer("burst_capacity") ?? 0
        self.init(perSecond: perSecond, burst: burst)
        guard !fields.problems.hasErrors else { return }
        if burst < 0 {
            fields.warning("burst_capacity", "\(burst) is taken as twice \(member), \(self.burst)")
        }
        if perSecond < 0 {
            fields.warning(member, "\(perSecond) is taken as 0")
        } else if perSecond > Self.limit {
            fields.warning(member, "\(perSecond) is taken as \(Self.limit)")
        } else if perSecond == 0 {
            fields.warning(
                member, self.burst == 0 ? "without a rate no trace passes" : "\(self.burst) \(what) pass, once")
        }
    }

    /// "limit of 100 spans a second yes": whether it let the trace through.
    func explanation(_ what: String, isMet: Bool) -> String {
        "within \(perSecond) \(what) a second \(isMet ? "yes" : "no")"
    }
}
