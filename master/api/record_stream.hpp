// The answer of a SUBSCRIBE: RecordIO, one record per chunk, with heartbeats between them. Others
// push records, the connection reads them; what waits is bounded. Loop thread only. It knows
// nothing of what the records say.
#pragma once

#include "core/http/message.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace methos::master {

/// How much may wait for all subscribers together.
struct RecordBudget {
    std::size_t bytes_max = 256UL * 1024 * 1024;
    std::size_t bytes = 0;
};

struct RecordLimits {
    std::size_t records_max = 200'000;
    std::size_t bytes_max = 32UL * 1024 * 1024;
    /// mesos-framework gives up a connection that is silent for 10 s, so Mesos's 15 s will not do.
    Duration heartbeat_interval = std::chrono::seconds(5);
};

class RecordStream final : public http::BodyReader {
  public:
    /// `heartbeat` is the JSON sent every interval, but not before the first record. `on_end` is
    /// called once, when nobody reads any more; it must not throw.
    RecordStream(const asio::any_io_executor& executor,
                 RecordLimits limits,
                 std::shared_ptr<RecordBudget> budget,
                 const std::string& heartbeat,
                 std::function<void()> on_end);
    ~RecordStream() override;

    /// Queues compact JSON. False when a limit is reached, or the stream has ended: it was not
    /// queued then.
    [[nodiscard]] bool push(const std::string& json);
    /// Sets the record that is read before all others, whatever its size; before the first read.
    void push_first(const std::string& json);
    /// The stream ends after what waits.
    void finish();
    /// The stream ends with this record; what waits is forgotten.
    void finish_with(const std::string& json);

    /// The stream ends now; what waits is forgotten.
    void cut();

    [[nodiscard]] bool ended() const noexcept { return finished_ || abandoned_; }

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;
    void abandon() noexcept override;

  private:
    void forget_waiting() noexcept;

    RecordLimits limits_;
    std::shared_ptr<RecordBudget> budget_;
    std::string heartbeat_;
    std::function<void()> on_end_;
    Signal signal_;
    std::optional<std::string> first_;
    std::deque<std::string> records_; ///< framed
    std::size_t bytes_ = 0;
    bool begun_ = false; ///< the first record was read
    bool finished_ = false;
    bool abandoned_ = false;
    MonoTime heartbeat_due_ = MonoTime::max();
};

/// Decimal length, a line feed, and the JSON, which holds no line feed itself.
[[nodiscard]] std::string frame_record(const std::string& json);

} // namespace methos::master
