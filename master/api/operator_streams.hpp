// Subscribers of the operator API's events: what the cluster was when they came, and every change
// of a task, a host or a framework since. A subscriber that is too slow is cut off. Loop thread
// only; owned by main.
#pragma once

#include "master/api/record_stream.hpp"
#include "master/shell/shell.hpp"

#include <list>
#include <memory>

namespace methos::master {

class OperatorStreams {
  public:
    static constexpr std::size_t subscribers_max = 64;

    /// Listens to the shell's publications from now on; the shell must outlive it, or be at rest.
    OperatorStreams(asio::any_io_executor executor,
                    Shell& shell,
                    RecordLimits limits = RecordLimits());
    OperatorStreams(const OperatorStreams&) = delete;
    OperatorStreams& operator=(const OperatorStreams&) = delete;
    ~OperatorStreams();

    /// The stream of a new subscriber, whose first record is `SUBSCRIBED` with the state as it is
    /// printed from now on. Throws ResourceExhausted when there are too many.
    [[nodiscard]] awaitable<std::shared_ptr<RecordStream>> open();
    /// Ends all streams in order, and returns when they have ended or `limit` has passed.
    [[nodiscard]] awaitable<> close(Duration limit);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace methos::master
