import Foundation
import Glibc
import HTTPClient
import Testing
import Threads
import TraceGenerator
import TraceModel
import Workers

/// How a server of the test ends: at a moment that chance chooses, or at a place of its code.
private enum Kill: CustomStringConvertible {
    case afterMilliseconds(Int)
    /// `TSS_KILL_POINT`
    case at(String, pass: Int)

    var description: String {
        switch self {
        case .afterMilliseconds(let milliseconds): "after \(milliseconds) ms"
        case .at(let place, let pass): "at \(place), pass \(pass)"
        }
    }
}

extension WholeProgram {
    /// The server is killed again and again, always on the same data folder, while senders go on.
    @Suite struct KilledTests {
        /// Receiving, deciding, writing the file, between file and commit, between commit and release.
        private static let places = ["receiving", "deciding", "writing", "commit.uploaded", "commit.committed"]
        private static let killsAtEachPlace = 3
        /// A kill point is passed within a second; the limit is for a machine that does much else.
        private static let passLimit: Duration = .seconds(60)

        /// A quarter at random moments, the rest at each of the places in turn.
        private static func kills(_ count: Int, _ random: inout SeededRandom) -> [Kill] {
            var kills: [Kill] = []
            let rounds = max(1, count / (5 + killsAtEachPlace * places.count))
            for _ in 0..<rounds {
                for _ in 0..<5 { kills.append(.afterMilliseconds(random.int(in: 20...1500))) }
                for place in places {
                    for _ in 0..<killsAtEachPlace { kills.append(.at(place, pass: random.int(in: 1...6))) }
                }
            }
            kills.shuffle(using: &random)
            return kills
        }

        @Test func `killed at any moment it neither loses nor doubles a span`() throws {
            let environment = ProcessInfo.processInfo.environment
            let count = environment["TSS_KILLS"].flatMap { Int($0) } ?? 20
            let seed = environment["TSS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
            print("kills: \(count), seed \(seed) (TSS_KILLS, TSS_SEED)")
            var random = SeededRandom(seed: seed)
            let kills = Self.kills(count, &random)
            try TestFolder.with("killed") { folder in
                let server = try ServerUnderTest(folder)
                let sender = PersistentSender(server, seed: seed)
                try sender.start()
                let started = MonotonicInstant.now
                do {
                    for kill in kills { try Self.run(kill, server) }
                } catch {
                    sender.giveUp()
                    throw error
                }
                let seconds = (MonotonicInstant.now - started).inSeconds
                try server.startAndWait()
                let sent = sender.stop()
                try Self.settle(server)
                print("\(kills.count) kills in \(seconds) s, \(seconds / Double(kills.count)) s each")
                let table = try TableReader(
                    dataFolder: server.dataFolder, columns: Accounting.columns, folder: folder)
                let sums = try Accounting.check(sent, in: table)
                print("\(sums); \(table.rows.count) rows, \(table.snapshotCount) snapshots")
                #expect(sums.keptSpans > 10 * kills.count, "the senders had hardly anything accepted")
                // Seen with every seed so far: without one the kills have missed the moment that matters.
                #expect(sums.unansweredRequests > 0)
            }
        }

        /// A recovery that forgets what the table holds writes it again, and the accounting says so.
        @Test func `the accounting sees a recovery that forgets the rows of the table`() throws {
            let seed = UInt64.random(in: 0 ... .max)
            print("seed \(seed)")
            let (sent, table) = try TestFolder.with("forgetful") { folder in
                let server = try ServerUnderTest(
                    folder,
                    ServerUnderTest.shortWaits.merging(["TSS_PLANTED_FAULT": "forgetsPresentRows"]) { $1 })
                let sender = PersistentSender(server, seed: seed)
                try sender.start()
                do {
                    // With spans coming in all the time a commit leaves rows above the position of its undecided ones.
                    for pass in [3, 2] { try Self.run(.at("commit.committed", pass: pass), server) }
                } catch {
                    sender.giveUp()
                    throw error
                }
                try server.startAndWait()
                let sent = sender.stop()
                try Self.settle(server)
                let table = try TableReader(
                    dataFolder: server.dataFolder, columns: Accounting.columns, folder: folder)
                return (sent, table)
            }
            // Fails when nothing is doubled, and when anything else is wrong.
            try withKnownIssue {
                _ = try Accounting.check(sent, in: table)
            } matching: { issue in
                issue.comments.contains { $0.rawValue == "doubled rows" || $0.rawValue == "doubled spans" }
            }
        }

        /// One life: started, and killed.
        private static func run(_ kill: Kill, _ server: ServerUnderTest) throws {
            let logBefore = server.log.utf8.count
            switch kill {
            case .afterMilliseconds(let milliseconds):
                try server.start()
                Wakeup().sleep(.milliseconds(milliseconds))
                if let status = server.ended(within: .zero) { throw Failure("the server ended by itself: \(status)") }
                server.kill()
            case .at(let place, let pass):
                try server.start(["TSS_KILL_POINT": "\(place):\(pass)"])
                guard let status = server.ended(within: passLimit) else {
                    throw Failure("\(place) was not passed \(pass) times within \(passLimit)")
                }
                try #require(status == .signalled(SIGKILL), "\(kill): \(server.log.suffix(2000))")
            }
            // Recovery may cut an unanswered end; anything that it calls an error is one.
            let log = String(decoding: server.log.utf8.dropFirst(logBefore), as: UTF8.self)
            let errors = log.split(separator: "\n").filter { $0.contains(" ERROR ") }
            try #require(errors.isEmpty, "after \(kill): \(errors)")
        }

        /// Lets the server decide and commit everything, and ends it.
        private static func settle(_ server: ServerUnderTest) throws {
            let last = Traces(seed: .random(in: 0 ... .max)).next(.ok)
            try #require(try server.export(last.requestBytes).status == 200)
            try server.waitUntilSettled(after: last.traceID)
            try #require(try server.stop() == .exited(code: 0))
            #expect(server.log.contains("all_decided_committed=true"))
        }
    }
}
