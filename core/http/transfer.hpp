// One request and its answer inside libcurl: the options of the easy handle, the callbacks that
// record what arrives, and the bounded buffers on both ways. Owned by the stream that the caller
// pulls from (client.cpp). Callbacks only record and wake; nothing here calls back into libcurl
// from inside one.
#pragma once

#include "core/http/client.hpp"
#include "core/http/curl_loop.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <array>

namespace methos::http {

class Transfer : public std::enable_shared_from_this<Transfer> {
  public:
    /// Throws Failure(InvalidInput) when the request cannot be expressed in HTTP.
    Transfer(std::shared_ptr<CurlLoop> loop,
             std::shared_ptr<const ClientRequest> request,
             const std::string& user_agent);
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer();

    /// Hands the transfer to the loop; `total_limit` counts from now.
    void start(std::optional<Duration> total_limit);

    /// Gives it up: nothing more is received or sent. Harmless when it has ended.
    void abandon() noexcept;

    /// Returns when the head of the answer is there; throws Failure when there will be none.
    [[nodiscard]] awaitable<> wait_for_head();

    /// The next bytes of the body, nothing at its end. Throws Failure when it ended early.
    [[nodiscard]] awaitable<std::optional<std::string>> read();

    [[nodiscard]] int status() const noexcept { return status_; }

    [[nodiscard]] const Headers& headers() const noexcept { return headers_; }

    // For CurlLoop.
    [[nodiscard]] CURL* easy() const noexcept { return easy_; }

    void finish(CURLcode code);
    void finish_cancelled() noexcept;

  private:
    static std::size_t on_header(char* data, std::size_t size, std::size_t n, void* self) noexcept;
    static std::size_t on_body(char* data, std::size_t size, std::size_t n, void* self) noexcept;
    static std::size_t on_upload(char* data, std::size_t size, std::size_t n, void* self) noexcept;

    void set_options(const std::string& user_agent);
    void set_method_and_body();
    void add_header_line(const std::string& line);
    void take_header_line(std::string_view line);
    [[nodiscard]] static awaitable<> pump_upload(std::shared_ptr<Transfer> self);
    void start_upload_pump();
    void resume(int direction);
    void watch_idleness();
    void fail(Error error);
    void end() noexcept;
    [[nodiscard]] std::string name() const; ///< "GET http://d/info at /var/run/docker.sock"
    [[nodiscard]] Error error_of_code(CURLcode code) const;

    std::shared_ptr<CurlLoop> loop_;
    std::shared_ptr<const ClientRequest> request_;
    CURL* easy_ = nullptr;
    curl_slist* header_list_ = nullptr;
    std::array<char, CURL_ERROR_SIZE> error_text_{};

    Signal changed_; ///< head, body bytes or the end have arrived
    int status_ = 0;
    Headers headers_;
    std::size_t header_bytes_ = 0;
    bool head_complete_ = false;
    std::string received_;
    bool receiving_paused_ = false;

    Signal upload_wanted_; ///< libcurl has sent all that it was given
    std::string to_upload_;
    std::size_t uploaded_ = 0; ///< of to_upload_
    bool upload_complete_ = false;
    bool sending_paused_ = false;
    asio::cancellation_signal upload_cancel_;

    asio::steady_timer idle_timer_;
    MonoTime last_progress_;

    bool started_ = false;
    bool ended_ = false;
    std::optional<Error> error_; ///< why it ended, or why it is about to
};

} // namespace methos::http
