internal import HTTPServer
internal import JSON

/// The shape of every admin answer: `{"success", "data", "error"}`.
enum Envelope {
    static func success(_ data: JSONValue, status: Int = 200) -> HTTPResponse {
        response(status, ["success": true, "data": data, "error": nil])
    }

    static func failure(_ status: Int, _ message: String) -> HTTPResponse {
        response(status, ["success": false, "data": nil, "error": .string(message)])
    }

    /// JSON without the envelope.
    static func response(_ status: Int, _ value: JSONValue) -> HTTPResponse {
        // Every value here is made by us: only a not-a-number could not be written, and none is put in.
        let bytes = (try? value.bytes()) ?? Array("{\"success\":false,\"data\":null,\"error\":\"internal\"}".utf8)
        return HTTPResponse(status: status, contentType: "application/json", body: bytes)
    }
}
