internal import Arguments
internal import HTTPClient
internal import JSON
internal import Threads

/// Talks to the admin port of a running server, for the commands that show and change it.
final class AdminClient {
    static let options = [
        Option(
            "admin-url", .text, default: "http://127.0.0.1:8080", variables: ["TSS_ADMIN_URL"],
            "Where the server answers admin calls (observability.health_addr and health_port)"),
        Option("token", .text, variables: ["TSS__ADMIN__TOKEN"], "The server's admin.token"),
        Option("token-file", .file, variables: ["TSS__ADMIN__TOKEN_FILE"], "File that holds it instead"),
    ]

    /// A call that the server answers at once; a slow disk may take some time.
    private static let limit: Duration = .seconds(30)
    /// No token is as long.
    private static let tokenLimitBytes = 64 << 10

    private let url: String
    private let token: String?
    private let client: HTTPClient

    /// From a command's options.
    init(_ arguments: ParsedCommand) throws(AdminFailure) {
        var url = arguments.text("admin-url") ?? ""
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw AdminFailure(message: "--admin-url must begin with http:// or https://, not \"\(url)\"")
        }
        self.url = url
        do throws(ReadFailure) {
            if let token = arguments.text("token") {
                self.token = token
            } else if let path = arguments.text("token-file") {
                let text = try ProcessEnvironment.readText(path, limitBytes: Self.tokenLimitBytes)
                token = String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
            } else {
                token = nil
            }
        } catch {
            throw AdminFailure(message: error.message)
        }
        do throws(HTTPError) {
            client = try HTTPClient()
        } catch {
            throw AdminFailure(message: error.message)
        }
    }

    func stop() { client.stop() }

    /// The `data` of the answer.
    ///
    /// - Parameter path: From `/admin/` on; its segments are percent-encoded where they need it.
    /// - Throws: One line for people, with the server's own words when it has answered.
    func call(_ method: String, _ path: String, body: JSONValue? = nil) throws(AdminFailure) -> JSONValue {
        var headers: [(name: String, value: String)] = []
        if let token { headers.append(("Authorization", "Bearer \(token)")) }
        var bytes: [UInt8]?
        if let body {
            guard let written = try? body.bytes() else { throw AdminFailure(message: "the request cannot be written") }
            bytes = written
            headers.append(("Content-Type", "application/json"))
        }
        var request = ClientRequest(method, url + path, headers: headers, body: bytes)
        request.deadline = Self.limit
        let response: ClientResponse
        do throws(HTTPError) {
            response = try client.send(request)
        } catch {
            throw AdminFailure(message: "\(url) does not answer: \(error.message); is the server running there?")
        }
        guard let answer = try? JSONValue(parsing: response.body), answer.object != nil else {
            throw AdminFailure(message: "\(url)\(path) answered \(response.status) without JSON: is it the admin port?")
        }
        guard (200..<300).contains(response.status), answer["success"] == true else {
            let hint = response.status == 401 ? " (--token, --token-file)" : ""
            throw AdminFailure(
                message: "\(answer["error"]?.text ?? "no message")\(hint) (\(response.status))", status: response.status
            )
        }
        return answer["data"] ?? .null
    }

    /// A text as one segment of a path.
    static func segment(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return encoded
    }
}

/// Why an admin call brought nothing.
struct AdminFailure: Error {
    /// One line.
    var message: String
    /// Of the answer, when there was one.
    var status: Int?

    init(message: String, status: Int? = nil) {
        self.message = message
        self.status = status
    }
}
