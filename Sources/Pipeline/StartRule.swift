/// Where a new owner starts to read: what the table says, what the group says, and whom to believe.
///
///     position  stamp of the group's offset      start
///     ────────  ───────────────────────────────  ─────────────────────────────────────────
///     any       this table, this generation      the larger of resume and the offset
///     there     other table or generation        resume
///     there     none, offset = resume or absent  resume
///     any       none, another offset             the offset: somebody reset it, and is obeyed
///     none      other table, or no offset        the beginning or the end, as configured
///
/// Source: Documentation/Positions.md, "RECOVER".
struct StartRule: Equatable {
    var resume: Int64
    var settled: Int64
    /// Rows below the position's `floor` may be read again: every file is asked for present rows.
    var readsAllFiles = false
    var remark: RecoveryRemark?

    init(resume: Int64, settled: Int64, readsAllFiles: Bool = false, remark: RecoveryRemark? = nil) {
        self.resume = resume
        self.settled = max(settled, resume)
        self.readsAllFiles = readsAllFiles
        self.remark = remark
    }

    init(position: Position?, start: SourceStart, tableUUID: String, generation: Int64, epoch: Int64) {
        let place = position?.resume ?? start.configured
        let settled = position?.settled ?? place
        guard let group = start.group else {
            self.init(resume: place, settled: settled)
            return
        }
        guard let stamp = group.stamp else {
            if position?.resume == group.offset {
                self.init(resume: place, settled: settled)
                return
            }
            // Rows above the new place may lie in files that the position's floor leaves out.
            let isBack = position.map { group.offset < $0.settled } ?? false
            self.init(
                resume: group.offset, settled: group.offset, readsAllFiles: isBack,
                remark: .operatorReset(to: group.offset, from: position?.resume))
            return
        }
        if stamp.tableUUID != tableUUID {
            let remark = position == nil ? RecoveryRemark.otherTable(stamp.tableUUID, start: place) : nil
            self.init(resume: place, settled: settled, remark: remark)
        } else if stamp.generation == generation, stamp.epoch <= epoch, group.offset > (position?.resume ?? .min) {
            self.init(resume: group.offset, settled: max(stamp.settled, position?.settled ?? .min))
        } else {
            self.init(resume: place, settled: settled)
        }
    }
}

extension SourceStart {
    /// Where a partition begins that nobody knows anything of.
    fileprivate var configured: Int64 {
        switch reset {
        case .earliest: bounds.start
        case .latest: bounds.end
        }
    }
}
