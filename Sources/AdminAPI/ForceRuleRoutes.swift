internal import HTTPServer
internal import JSON
internal import Sampling
internal import StateStores
internal import Telemetry

/// Rules that people make while the program runs.
///
/// Changes are made by the book's thread, which may wait for a disk; the server's own never does.
struct ForceRuleRoutes {
    /// A call without a body of meaning.
    private static let smallBodyBytes = 4096
    private static let path = "/admin/force-rules"

    let access: AdminAccess
    /// Nil: switched off.
    let book: ForceRuleBook?

    var all: [HTTPRoute] {
        let id = Self.path + "/{id}"
        return [
            look("GET", Self.path) { book, _ in Self.list(book) },
            look("GET", id) { book, head in Self.one(book, Self.id(head)) },
            change("POST", Self.path, needsBody: true, status: 201) { .create($0.body) },
            change("DELETE", id) { .delete(id: Self.id($0.head)) },
            change("PUT", id + "/extend", needsBody: true) { .extend(id: Self.id($0.head), $0.body) },
            change("PUT", id + "/disable") { .setEnabled(id: Self.id($0.head), false) },
            change("PUT", id + "/enable") { .setEnabled(id: Self.id($0.head), true) },
            change("POST", Self.path + "/cleanup") { _ in .cleanUp },
        ]
    }

    private static func id(_ head: HTTPRequestHead) -> String { head.parameters["id"] ?? "" }

    // MARK: Reading

    private func look(
        _ method: String, _ path: String,
        _ body: @escaping @Sendable (ForceRuleBook, HTTPRequestHead) -> HTTPResponse
    ) -> HTTPRoute {
        let (access, book) = (access, book)
        return HTTPRoute(
            method, path, admit: { access.refuseHost($0) ?? access.refuseToken($0) },
            handle: { request, responder in
                _ = responder.answer(book.map { body($0, request.head) } ?? Self.switchedOff)
            })
    }

    private static func list(_ book: ForceRuleBook) -> HTTPResponse {
        if let refusal = unknown(book) { return refusal }
        let now = book.nowMilliseconds
        return Envelope.success(.array(book.rules.map { json($0, at: now) }))
    }

    private static func one(_ book: ForceRuleBook, _ id: String) -> HTTPResponse {
        if let refusal = unknown(book) { return refusal }
        guard let rule = book.rule(id) else {
            return Envelope.failure(404, "there is no force rule \"\(id.prefix(64))\"")
        }
        return Envelope.success(json(rule, at: book.nowMilliseconds))
    }

    /// A store that was not read yet says nothing about which rules there are.
    private static func unknown(_ book: ForceRuleBook) -> HTTPResponse? {
        book.isLoaded ? nil : Envelope.failure(503, "the force rules cannot be read: \(book.obstacle?.message ?? "")")
    }

    private static func json(_ rule: ForceRule, at now: Int64) -> JSONValue {
        rule.json(at: now) { Timestamp.text(milliseconds: $0) }
    }

    // MARK: Changing

    private func change(
        _ method: String, _ path: String, needsBody: Bool = false, status: Int = 200,
        _ change: @escaping @Sendable (HTTPRequest) -> ForceRuleBook.Change
    ) -> HTTPRoute {
        let (access, book) = (access, book)
        return HTTPRoute(
            method, path, maxBodyBytes: needsBody ? ForceRuleLimits.bodyBytes : Self.smallBodyBytes,
            admit: { head in
                access.refuseHost(head) ?? access.refuseToken(head)
                    ?? (needsBody ? access.refuseType(head) : access.refuseTypeOfAnyBody(head))
            },
            handle: { request, responder in
                guard let book else {
                    _ = responder.answer(Self.switchedOff)
                    return
                }
                let isTaken = book.submit(change(request)) { result in
                    _ = responder.answer(Self.response(to: result, status: status, at: book.nowMilliseconds))
                }
                guard !isTaken else { return }
                var response = Envelope.failure(503, "too many changes of force rules wait: try again")
                response.headers.add("Retry-After", "1")
                _ = responder.answer(response)
            })
    }

    private static func response(
        to result: Result<ForceRuleBook.Answer, ForceRuleProblem>, status: Int, at now: Int64
    ) -> HTTPResponse {
        switch result {
        case .failure(let problem): return Envelope.failure(Self.status(of: problem.code), problem.message)
        case .success(.cleaned(let count)): return Envelope.success(["removed": .integer(Int64(count))])
        case .success(.rule(let rule)):
            var response = Envelope.success(json(rule, at: now), status: status)
            if status == 201 { response.headers.add("Location", "\(path)/\(rule.id)") }
            return response
        }
    }

    private static func status(of code: ForceRuleProblem.Code) -> Int {
        switch code {
        case .malformed: 400
        case .notFound: 404
        case .conflict: 409
        case .refused: 422
        case .unavailable: 503
        }
    }

    // 409 and not 503: waiting does not help, the program runs as it was told to.
    private static var switchedOff: HTTPResponse {
        Envelope.failure(409, "force rules are switched off: set force_sampling.enabled: true")
    }
}
