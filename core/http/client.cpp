// What callers of the HTTP client see: whole answers, streamed answers and redirects. The transfers
// themselves are in transfer.cpp, libcurl's descriptors and timer in curl_loop.cpp.
#include "core/http/client.hpp"

#include "core/base/units.hpp"
#include "core/http/transfer.hpp"

#include <array>

namespace methos::http {

namespace {

constexpr int redirects_max = 10;

/// Ends the transfer when the caller lets go of the answer.
class CurlStream final : public ClientStream {
  public:
    CurlStream(std::shared_ptr<Transfer> transfer, std::string url)
        : transfer_(std::move(transfer)), url_(std::move(url)) {}

    ~CurlStream() override { transfer_->abandon(); }

    CurlStream(const CurlStream&) = delete;
    CurlStream& operator=(const CurlStream&) = delete;

    awaitable<std::optional<std::string>> read() override { return read_from(transfer_); }

    void abandon() noexcept override { transfer_->abandon(); }

    [[nodiscard]] int status() const override { return transfer_->status(); }

    [[nodiscard]] const Headers& headers() const override { return transfer_->headers(); }

    [[nodiscard]] const std::string& effective_url() const override { return url_; }

  private:
    /// Keeps the transfer alive while it is read, whatever happens to the stream.
    static awaitable<std::optional<std::string>> read_from(std::shared_ptr<Transfer> transfer) {
        auto piece = co_await transfer->read();
        co_return piece;
    }

    std::shared_ptr<Transfer> transfer_;
    std::string url_;
};

/// libcurl's URL parser, so that both of us read an address alike.
class Url {
  public:
    explicit Url(const std::string& text) : handle_(curl_url()) {
        if (handle_ == nullptr) {
            throw Failure(Code::ResourceExhausted, "out of memory for an URL");
        }
        if (!set(text)) {
            curl_url_cleanup(handle_);
            throw Failure(Code::InvalidInput, "\"" + printable_url(text) + "\" is no URL");
        }
    }

    Url(const Url&) = delete;
    Url& operator=(const Url&) = delete;

    ~Url() { curl_url_cleanup(handle_); }

    /// Goes to another address, which may be relative to this one.
    [[nodiscard]] bool set(const std::string& text) {
        return curl_url_set(handle_, CURLUPART_URL, text.c_str(), CURLU_URLENCODE) == CURLUE_OK;
    }

    [[nodiscard]] std::string part(CURLUPart which) const {
        char* text = nullptr;
        const unsigned flags = which == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0U;
        if (curl_url_get(handle_, which, &text, flags) != CURLUE_OK) {
            return {};
        }
        std::string copy(text);
        curl_free(text);
        return copy;
    }

    [[nodiscard]] bool same_origin(const Url& other) const {
        return part(CURLUPART_SCHEME) == other.part(CURLUPART_SCHEME) &&
               iequals(part(CURLUPART_HOST), other.part(CURLUPART_HOST)) &&
               part(CURLUPART_PORT) == other.part(CURLUPART_PORT);
    }

  private:
    CURLU* handle_;
};

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string without_brackets(const std::string& host) {
    const bool has_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    return has_brackets ? host.substr(1, host.size() - 2) : host;
}

/// The request that follows a redirect. Throws Failure(Protocol) where it must not be followed.
ClientRequest redirected(const ClientRequest& from, int status, const std::string& location) {
    const Url before(from.url);
    Url after(from.url);
    const auto refuse = [&from](const std::string& why) {
        return Failure(Code::Protocol, printable_url(from.url) + " redirects " + why);
    };
    if (!after.set(location)) {
        throw refuse("to what is no address");
    }
    const auto scheme = after.part(CURLUPART_SCHEME);
    if (scheme != "https" && scheme != "http") {
        throw refuse("to the scheme " + scheme + ", which is not followed");
    }
    if (before.part(CURLUPART_SCHEME) == "https" && scheme == "http") {
        throw refuse("from https to http, which is not followed");
    }
    if (from.may_follow_to && !from.may_follow_to(without_brackets(after.part(CURLUPART_HOST)))) {
        throw refuse("to " + after.part(CURLUPART_HOST) + ", where it is not followed");
    }
    const bool method_changes = (status == 303 && from.method != "HEAD") ||
                                ((status == 301 || status == 302) && from.method == "POST");
    if (from.upload && !method_changes) {
        throw refuse("a streamed upload, which cannot be sent twice");
    }
    ClientRequest next = from;
    next.url = after.part(CURLUPART_URL);
    if (method_changes) {
        next.method = "GET";
        next.body.clear();
        next.upload.reset();
        next.upload_length.reset();
        next.headers.erase("Content-Type");
    }
    if (!before.same_origin(after)) {
        constexpr std::array<std::string_view, 5> private_headers = {
            "Authorization", "Cookie", "Proxy-Authorization", "X-Registry-Auth", "Host"};
        for (const auto name : private_headers) {
            next.headers.erase(name);
        }
    }
    return next;
}

awaitable<std::shared_ptr<ClientStream>>
open_following(std::shared_ptr<CurlLoop> loop, ClientRequest first, std::string user_agent) {
    const auto begun = std::chrono::steady_clock::now();
    auto request = std::make_shared<const ClientRequest>(std::move(first));
    for (int redirects = 0;; ++redirects) {
        auto limit = request->total_limit;
        if (limit) {
            *limit -= std::chrono::steady_clock::now() - begun;
        }
        auto transfer = std::make_shared<Transfer>(loop, request, user_agent);
        auto stream = std::make_shared<CurlStream>(transfer, request->url);
        transfer->start(limit);
        co_await transfer->wait_for_head();
        const auto location = transfer->headers().get("Location");
        const bool follow = request->follow_redirects && request->unix_socket.empty() &&
                            is_redirect(transfer->status()) && location;
        if (!follow) {
            co_return stream;
        }
        if (redirects == redirects_max) {
            throw Failure(Code::Protocol,
                          printable_url(request->url) + " redirects more than 10 times");
        }
        request = std::make_shared<const ClientRequest>(
            redirected(*request, transfer->status(), *location));
    }
}

awaitable<ClientResponse>
send_following(std::shared_ptr<CurlLoop> loop, ClientRequest request, std::string user_agent) {
    const auto body_bytes_max = request.body_bytes_max;
    const auto name = request.method + " " + printable_url(request.url);
    auto stream =
        co_await open_following(std::move(loop), std::move(request), std::move(user_agent));
    ClientResponse response;
    response.status = stream->status();
    response.headers = stream->headers();
    response.effective_url = stream->effective_url();
    while (auto piece = co_await stream->read()) {
        if (piece->size() > body_bytes_max - response.body.size()) {
            throw Failure(Code::ResourceExhausted,
                          name + ": the answer is larger than " +
                              format_bytes(static_cast<std::int64_t>(body_bytes_max)));
        }
        response.body += *piece;
    }
    co_return response;
}

} // namespace

bool is_untrusted(const Error& error) {
    return error.cause == Cause{Cause::Kind::Curl, CURLE_PEER_FAILED_VERIFICATION};
}

struct Client::Impl {
    std::shared_ptr<CurlLoop> loop;
    std::string user_agent;
};

Client::Client(asio::any_io_executor executor, ClientOptions options)
    : impl_(std::make_shared<Impl>()) {
    impl_->loop =
        std::make_shared<CurlLoop>(std::move(executor), static_cast<long>(options.connections_max));
    impl_->user_agent = std::move(options.user_agent);
}

Client::~Client() {
    impl_->loop->close();
}

awaitable<ClientResponse> Client::send(ClientRequest request) {
    return send_following(impl_->loop, std::move(request), impl_->user_agent);
}

awaitable<std::shared_ptr<ClientStream>> Client::open(ClientRequest request) {
    return open_following(impl_->loop, std::move(request), impl_->user_agent);
}

} // namespace methos::http
