import Pipeline
import Threads

/// The answer to a request that was split: given once every part has its own.
final class JoinedAnswer: Sendable {
    private struct State {
        var missingCount: Int
        var isRepeat = true
        /// The first part that was not taken; the sender repeats the whole, and the other parts are then repeats.
        var refusal: IngestAnswer?
    }

    private let state: Lock<State>
    private let answer: @Sendable (IngestAnswer) -> Void

    init(partCount: Int, answer: @escaping @Sendable (IngestAnswer) -> Void) {
        state = Lock(State(missingCount: partCount))
        self.answer = answer
    }

    func take(_ part: IngestAnswer) {
        let whole = state.withLock { state -> IngestAnswer? in
            switch part {
            case .durable(let isRepeat): state.isRepeat = state.isRepeat && isRepeat
            case .unavailable: state.refusal = state.refusal ?? part
            }
            state.missingCount -= 1
            guard state.missingCount == 0 else { return nil }
            return state.refusal ?? .durable(isRepeat: state.isRepeat)
        }
        if let whole { answer(whole) }
    }
}
