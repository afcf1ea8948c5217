// libcurl's multi interface on the loop: descriptors and the one timer that libcurl asks for,
// watched by Asio. Owned by the Client, kept alive by its transfers. Knows nothing of requests:
// transfer.hpp does. libcurl owns every descriptor; Asio only borrows it (assign, release).
#pragma once

#include "core/runtime/async.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <curl/curl.h>

#include <memory>
#include <unordered_map>
#include <unordered_set>

namespace methos::http {

class Transfer;

class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
  public:
    CurlLoop(asio::any_io_executor executor, long idle_connections_max);
    CurlLoop(const CurlLoop&) = delete;
    CurlLoop& operator=(const CurlLoop&) = delete;
    ~CurlLoop();

    /// Starts the transfer on the loop's next turn. Throws Failure(Cancelled) after close().
    void add(Transfer& transfer);
    /// Takes the transfer out at once; its connection is closed when the answer was incomplete.
    void remove(Transfer& transfer) noexcept;
    /// Lets libcurl look at what changed outside of it (a transfer that was unpaused).
    void poke();
    /// Ends every transfer with Cancelled and frees all connections. Nothing works afterwards.
    void close() noexcept;

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

  private:
    struct Watch;

    static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* unused) noexcept;
    static int on_timer(CURLM* multi, long timeout_ms, void* self) noexcept;
    void watch(curl_socket_t fd, int what);
    void unwatch(curl_socket_t fd) noexcept;
    void arm_read(const std::shared_ptr<Watch>& watch);
    void arm_write(const std::shared_ptr<Watch>& watch);
    void drive(curl_socket_t fd, int events);
    void collect_finished();

    asio::any_io_executor executor_;
    CURLM* multi_ = nullptr;
    asio::steady_timer timer_;
    /// Keyed by descriptor. A number that libcurl closes and gets again is a new Watch; handlers
    /// of the old one see that theirs is dead.
    std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
    std::unordered_set<Transfer*> transfers_;
};

} // namespace methos::http
