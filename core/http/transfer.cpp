#include "core/http/transfer.hpp"

#include "core/base/units.hpp"
#include "core/http/connect_failure.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <system_error>

namespace methos::http {

namespace {

constexpr std::size_t received_bytes_max = 256 * 1024; ///< then libcurl is paused
constexpr std::size_t header_bytes_max = 256 * 1024;   ///< of one answer
constexpr long receive_buffer_bytes = 64 * 1024;       ///< one call of the body callback
constexpr std::size_t unix_path_bytes_max = 107;       ///< sun_path without its end

bool is_token(std::string_view text) {
    constexpr std::string_view also = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [also](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               also.find(c) != std::string_view::npos;
    });
}

Code code_of_curl(CURL* easy, CURLcode code) {
    long sent_bytes = 0;
    long os_error = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
        return Code::InvalidInput;
    case CURLE_UNSUPPORTED_PROTOCOL: // a scheme, or an answer that is not HTTP
        return sent_bytes == 0 ? Code::InvalidInput : Code::Protocol;
    case CURLE_OPERATION_TIMEDOUT:
        return Code::Timeout;
    case CURLE_OUT_OF_MEMORY:
        return Code::ResourceExhausted;
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WRITE_ERROR:
        return Code::Protocol;
    case CURLE_RECV_ERROR: // the connection's failure, or malformed chunks
        return os_error == 0 ? Code::Protocol : Code::Unavailable;
    default:
        return Code::Unavailable;
    }
}

long to_milliseconds(Duration duration) {
    const auto count = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    return static_cast<long>(std::max<decltype(count)>(count, 1));
}

} // namespace

bool is_connect_failure(const Error& error) {
    return error.cause == Cause{Cause::Kind::Curl, static_cast<int>(CURLE_COULDNT_CONNECT)};
}

std::string printable_url(const std::string& url) {
    auto shown = url.substr(0, url.find_first_of("?#"));
    const auto authority = shown.find("://");
    if (authority != std::string::npos) {
        const auto path = shown.find('/', authority + 3);
        const auto at = shown.rfind('@', path);
        if (at != std::string::npos && at > authority) {
            shown.erase(authority + 3, at - authority - 2);
        }
    }
    return shown;
}

Transfer::Transfer(std::shared_ptr<CurlLoop> loop,
                   std::shared_ptr<const ClientRequest> request,
                   const std::string& user_agent)
    : loop_(std::move(loop)), request_(std::move(request)), easy_(curl_easy_init()),
      changed_(loop_->executor()), upload_wanted_(loop_->executor()),
      idle_timer_(loop_->executor()) {
    if (easy_ == nullptr) {
        throw Failure(Code::ResourceExhausted, "out of memory for an HTTP transfer");
    }
    try {
        set_options(user_agent);
    } catch (...) {
        curl_slist_free_all(header_list_);
        curl_easy_cleanup(easy_);
        throw;
    }
}

Transfer::~Transfer() {
    abandon();
    curl_easy_cleanup(easy_);
    curl_slist_free_all(header_list_);
}

void Transfer::set_options(const std::string& user_agent) {
    if (request_->unix_socket.size() > unix_path_bytes_max) {
        throw Failure(Code::InvalidInput,
                      "the path of the Unix socket is longer than 107 bytes: " +
                          request_->unix_socket);
    }
    curl_easy_setopt(easy_, CURLOPT_URL, request_->url.c_str());
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_PROXY, ""); // whatever the environment says
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy_, CURLOPT_USERAGENT, user_agent.c_str());
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
    curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, receive_buffer_bytes);
    curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
    // Without it, giving up during a name look-up would block the loop until the look-up ends.
    curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, to_milliseconds(request_->connect_limit));
    curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
    if (!request_->unix_socket.empty()) {
        curl_easy_setopt(easy_, CURLOPT_UNIX_SOCKET_PATH, request_->unix_socket.c_str());
    }
    if (!request_->verify_certificate) {
        curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!request_->ca_file.empty()) {
        // The system's folder of certificates (CAPATH) stays trusted beside it.
        curl_easy_setopt(easy_, CURLOPT_CAINFO, request_->ca_file.c_str());
    }
    if (request_->fresh_connection || request_->upload) {
        // A streamed body cannot be sent again when a kept connection turns out to be dead.
        curl_easy_setopt(easy_, CURLOPT_FRESH_CONNECT, 1L);
    }
    set_method_and_body();
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_);
}

void Transfer::set_method_and_body() {
    const auto& method = request_->method;
    if (!is_token(method)) {
        throw Failure(Code::InvalidInput, "\"" + method + "\" is no HTTP method");
    }
    const bool wants_body = method == "POST" || method == "PUT" || method == "PATCH";
    bool posts = false;
    if (method == "HEAD") {
        curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
    } else if (request_->upload) {
        const auto length = request_->upload_length;
        curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &Transfer::on_upload);
        curl_easy_setopt(easy_, CURLOPT_READDATA, this);
        curl_easy_setopt(easy_,
                         CURLOPT_INFILESIZE_LARGE,
                         length ? static_cast<curl_off_t>(*length) : curl_off_t{-1});
        curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
    } else if (wants_body || !request_->body.empty()) {
        posts = true;
        curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_->body.c_str());
        curl_easy_setopt(
            easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_->body.size()));
        curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
    } else {
        curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, method.c_str());
    }
    add_header_line("Expect:"); // else libcurl waits a second before bodies over 1 MB
    if (posts && !request_->headers.has("Content-Type")) {
        add_header_line("Content-Type:"); // else libcurl calls it a form
    }
    for (const auto& [name, value] : request_->headers.fields()) {
        if (!is_token(name) ||
            value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
            throw Failure(Code::InvalidInput, "the header \"" + name + "\" cannot be sent");
        }
        if (iequals(name, "Content-Length") || iequals(name, "Transfer-Encoding") ||
            iequals(name, "Expect")) {
            continue; // libcurl says what it sends
        }
        // "Name;" is libcurl's way to write an empty value.
        add_header_line(value.empty() ? name + ";" : name + ": " + value);
    }
}

void Transfer::add_header_line(const std::string& line) {
    curl_slist* longer = curl_slist_append(header_list_, line.c_str());
    if (longer == nullptr) {
        throw Failure(Code::ResourceExhausted, "out of memory for HTTP headers");
    }
    header_list_ = longer;
}

void Transfer::start(std::optional<Duration> total_limit) {
    if (total_limit) {
        curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, to_milliseconds(*total_limit));
    }
    loop_->add(*this);
    started_ = true;
    last_progress_ = std::chrono::steady_clock::now();
    watch_idleness();
    if (request_->upload) {
        start_upload_pump();
    }
}

void Transfer::abandon() noexcept {
    if (started_ && !ended_) {
        loop_->remove(*this);
        error_ = Error(Code::Cancelled, "the transfer was given up");
        end();
    }
}

void Transfer::finish_cancelled() noexcept {
    error_ = Error(Code::Cancelled, "the HTTP client was closed");
    end();
}

void Transfer::finish(CURLcode code) {
    if (code != CURLE_OK && !error_) {
        error_ = error_of_code(code);
    }
    end();
}

void Transfer::fail(Error error) {
    loop_->remove(*this);
    error_ = std::move(error);
    end();
}

void Transfer::end() noexcept {
    ended_ = true;
    idle_timer_.cancel();
    changed_.notify();
    upload_cancel_.emit(asio::cancellation_type::terminal);
}

std::string Transfer::name() const {
    const auto& socket = request_->unix_socket;
    return request_->method + " " + printable_url(request_->url) +
           (socket.empty() ? "" : " at " + socket);
}

Error Transfer::error_of_code(CURLcode code) const {
    const auto& socket = request_->unix_socket;
    std::string text(error_text_.data());
    if (code == CURLE_COULDNT_CONNECT && !socket.empty()) {
        long number = 0; // libcurl's own text names the URL's host, which means nothing here
        curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &number);
        text = "cannot connect: " + std::generic_category().message(static_cast<int>(number));
    } else if (text.empty()) {
        text = curl_easy_strerror(code);
    }
    return Error(code_of_curl(easy_, code),
                 name() + ": " + text,
                 Cause{Cause::Kind::Curl, static_cast<int>(code)});
}

awaitable<> Transfer::wait_for_head() {
    while (!head_complete_ && !ended_) {
        co_await changed_.wait();
    }
    if (head_complete_) {
        co_return;
    }
    if (!error_) {
        error_ = Error(Code::Protocol, name() + ": the connection ended inside the answer's head");
    }
    throw Failure(*error_);
}

awaitable<std::optional<std::string>> Transfer::read() {
    while (received_.empty() && !ended_) {
        co_await changed_.wait();
    }
    if (received_.empty()) {
        if (error_) {
            throw Failure(*error_);
        }
        co_return std::nullopt;
    }
    std::string piece = std::exchange(received_, std::string());
    if (receiving_paused_) {
        resume(CURLPAUSE_RECV); // a fast sender has the next piece here at once, again and again
    }
    co_await asio::post(loop_->executor(), asio::use_awaitable); // others have their turn
    co_return piece;
}

void Transfer::resume(int direction) {
    if (ended_) {
        return;
    }
    (direction == CURLPAUSE_RECV ? receiving_paused_ : sending_paused_) = false;
    last_progress_ = std::chrono::steady_clock::now();
    const int still_paused =
        (receiving_paused_ ? CURLPAUSE_RECV : 0) | (sending_paused_ ? CURLPAUSE_SEND : 0);
    const CURLcode code = curl_easy_pause(easy_, still_paused);
    if (code != CURLE_OK) {
        fail(error_ ? *error_ : error_of_code(code));
        return;
    }
    loop_->poke();
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t n, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    try {
        transfer->last_progress_ = std::chrono::steady_clock::now();
        transfer->header_bytes_ += size * n;
        if (transfer->header_bytes_ > header_bytes_max) {
            transfer->error_ =
                Error(Code::Protocol, transfer->name() + ": the answer's headers are over 256 KiB");
            return 0;
        }
        transfer->take_header_line(std::string_view(data, size * n));
        return size * n;
    } catch (const std::exception&) {
        return 0;
    }
}

void Transfer::take_header_line(std::string_view line) {
    if (head_complete_) {
        return; // a trailer
    }
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' ')) {
        line.remove_suffix(1);
    }
    if (line.empty()) {
        head_complete_ = status_ >= 200; // 1xx heads precede the answer's own
        if (head_complete_) {
            changed_.notify();
        }
        return;
    }
    if (line.substr(0, 5) == "HTTP/") {
        headers_ = Headers();
        long status = 0;
        curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
        status_ = static_cast<int>(status);
        return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        return;
    }
    auto value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    headers_.add(std::string(line.substr(0, colon)), std::string(value));
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t n, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    try {
        transfer->last_progress_ = std::chrono::steady_clock::now();
        if (transfer->received_.size() >= received_bytes_max) {
            transfer->receiving_paused_ = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        transfer->received_.append(data, size * n);
        transfer->changed_.notify();
        return size * n;
    } catch (const std::exception&) {
        return 0;
    }
}

std::size_t Transfer::on_upload(char* data, std::size_t size, std::size_t n, void* self) noexcept {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->last_progress_ = std::chrono::steady_clock::now();
    const auto left = transfer->to_upload_.size() - transfer->uploaded_;
    if (left == 0) {
        if (transfer->upload_complete_) {
            return 0;
        }
        transfer->sending_paused_ = true;
        transfer->upload_wanted_.notify();
        return CURL_READFUNC_PAUSE;
    }
    const auto count = std::min(left, size * n);
    std::memcpy(data, transfer->to_upload_.data() + transfer->uploaded_, count);
    transfer->uploaded_ += count;
    return count;
}

awaitable<> Transfer::pump_upload(std::shared_ptr<Transfer> self) {
    const auto source = self->request_->upload;
    const auto length = self->request_->upload_length;
    std::uint64_t total = 0;
    while (!self->upload_complete_) {
        co_await self->upload_wanted_.wait();
        auto piece = co_await source->read();
        total += piece ? piece->size() : 0;
        if (length && (total > *length || (!piece && total < *length))) {
            throw Failure(Code::InvalidInput,
                          "the upload has " + std::to_string(total) + (piece ? " or more" : "") +
                              " bytes where " + std::to_string(*length) + " were announced");
        }
        self->upload_complete_ = !piece;
        self->to_upload_ = piece ? std::move(*piece) : std::string();
        self->uploaded_ = 0;
        self->resume(CURLPAUSE_SEND);
    }
}

void Transfer::start_upload_pump() {
    auto done = [self = shared_from_this()](const std::exception_ptr& exception) {
        if (exception && !self->ended_) {
            self->fail(
                error_of(exception).with_context("while sending the body of " + self->name()));
        }
        // The cancellation slot is a part of *self and still in use by the frame that called us.
        asio::post(self->loop_->executor(), [self] {});
    };
    auto pump = pump_upload(shared_from_this());
    asio::co_spawn(loop_->executor(),
                   std::move(pump),
                   asio::bind_cancellation_slot(upload_cancel_.slot(), std::move(done)));
}

void Transfer::watch_idleness() {
    if (!request_->idle_limit || ended_) {
        return;
    }
    const auto limit = *request_->idle_limit;
    idle_timer_.expires_at(last_progress_ + limit);
    idle_timer_.async_wait(
        [weak = weak_from_this(), limit](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (error || !self || self->ended_) {
                return;
            }
            const auto now = std::chrono::steady_clock::now();
            if (self->receiving_paused_ || self->sending_paused_) {
                self->last_progress_ = now; // it is us who are slow
            }
            if (now - self->last_progress_ >= limit) {
                self->fail(Error(Code::Timeout,
                                 self->name() + ": nothing arrived for " + format_duration(limit)));
                return;
            }
            self->watch_idleness();
        });
}

} // namespace methos::http
