// The connections of subscribed frameworks: which Mesos-Stream-Id is which subscription of the
// heart, and the way of its events to its connection. A subscriber that is too slow, or gone, is
// told to the heart as disconnected. Loop thread only; owned by main.
#pragma once

#include "master/api/record_stream.hpp"
#include "master/frameworks/external/definition/print.hpp"
#include "master/shell/shell.hpp"

#include <memory>
#include <optional>
#include <string>

namespace methos::master {

class SchedulerStreams {
  public:
    /// Listens to the shell's publications from now on; the shell must outlive it, or be at rest.
    SchedulerStreams(asio::any_io_executor executor,
                     Shell& shell,
                     external::MasterInfo master,
                     RecordLimits limits = RecordLimits());
    SchedulerStreams(const SchedulerStreams&) = delete;
    SchedulerStreams& operator=(const SchedulerStreams&) = delete;
    ~SchedulerStreams();

    struct Opened {
        std::string stream_id; ///< for the header Mesos-Stream-Id
        std::shared_ptr<RecordStream> body;
    };

    /// Opens the connection of a subscription that the heart has just taken; its events come after
    /// the commit. Whoever holds `body` holds the subscription: when it is let go, the framework is
    /// disconnected.
    [[nodiscard]] Opened open(external::StreamNumber number);
    /// The subscription a Mesos-Stream-Id names, while it lasts.
    [[nodiscard]] std::optional<external::StreamNumber> find(const std::string& stream_id) const;
    /// Ends all connections in order, and returns when they have ended or `limit` has passed. The
    /// frameworks do not count as disconnected: it is the master that goes.
    [[nodiscard]] awaitable<> close(Duration limit);

    [[nodiscard]] std::size_t size() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace methos::master
