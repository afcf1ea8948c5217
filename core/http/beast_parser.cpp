#include "core/http/beast_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>

#include <algorithm>

namespace methos::http {

namespace {

namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;

Error refused(int status, std::string why) {
    return Error(Code::InvalidInput, std::move(why), Cause{Cause::Kind::Http, status});
}

/// Collects what Beast finds.
class Collector final : public beast::http::basic_parser<true> {
  public:
    std::string method;
    std::string target;
    int version = 11;
    Headers headers;
    std::string body;

  private:
    void on_request_impl(beast::http::verb /*verb*/,
                         beast::string_view method_text,
                         beast::string_view target_text,
                         int version_number,
                         ErrorCode& /*error*/) override {
        method = std::string(method_text);
        target = std::string(target_text);
        version = version_number;
    }

    void on_field_impl(beast::http::field /*field*/,
                       beast::string_view name,
                       beast::string_view value,
                       ErrorCode& /*error*/) override {
        if (!is_header_done()) { // else a trailer
            headers.add(std::string(name), std::string(value));
        }
    }

    std::size_t on_body_impl(beast::string_view bytes, ErrorCode& /*error*/) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/,
                                   beast::string_view bytes,
                                   ErrorCode& /*error*/) override {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_response_impl(int /*code*/,
                          beast::string_view /*reason*/,
                          int /*version*/,
                          ErrorCode& /*error*/) override {}

    void on_header_impl(ErrorCode& /*error*/) override {}

    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           ErrorCode& /*error*/) override {}

    void on_chunk_header_impl(std::uint64_t /*size*/,
                              beast::string_view /*extensions*/,
                              ErrorCode& /*error*/) override {}

    void on_finish_impl(ErrorCode& /*error*/) override {}
};

} // namespace

struct RequestParser::Impl {
    Collector collector;
    std::size_t header_bytes_max = 0;
    std::size_t header_bytes = 0;

    [[nodiscard]] Error too_large() const {
        const auto limit = std::to_string(header_bytes_max) + " bytes";
        return collector.method.empty()
                   ? refused(414, "the request line is longer than " + limit)
                   : refused(431, "the request's headers are larger than " + limit);
    }

    [[nodiscard]] Error error_of(const ErrorCode& error) const {
        if (error == beast::http::error::header_limit) {
            return too_large();
        }
        if (error == beast::http::error::bad_version) {
            return refused(505, "the request is neither HTTP/1.1 nor HTTP/1.0");
        }
        return refused(400, "the request is malformed: " + error.message());
    }

    /// What Beast lets pass and we do not: framing that others might read differently.
    [[nodiscard]] std::optional<Error> check_head() {
        const auto codings = collector.headers.all("Transfer-Encoding");
        for (const auto& coding : codings) {
            if (!iequals(coding, "chunked") || collector.version == 10) {
                return refused(400, "the only Transfer-Encoding understood is chunked");
            }
        }
        const auto hosts = collector.headers.all("Host").size();
        if (hosts > 1 || (hosts == 0 && collector.version == 11)) {
            return refused(400, "the request must have one Host header");
        }
        return std::nullopt;
    }
};

RequestParser::RequestParser(std::size_t header_bytes_max) : impl_(std::make_unique<Impl>()) {
    impl_->header_bytes_max = header_bytes_max;
    impl_->collector.header_limit(static_cast<std::uint32_t>(header_bytes_max));
    impl_->collector.body_limit(boost::none); // the routes have limits of their own
}

RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

Result<std::size_t> RequestParser::put(std::string_view data) {
    auto& collector = impl_->collector;
    std::size_t used = 0;
    if (!collector.got_some()) { // some clients end a body with a line of its own
        used = std::min(data.find_first_not_of("\r\n"), data.size());
        data.remove_prefix(used);
    }
    if (data.empty() || collector.is_done()) {
        return used;
    }
    const bool in_head = !collector.is_header_done();
    collector.eager(!in_head);
    ErrorCode error;
    const auto parsed = collector.put(boost::asio::buffer(data.data(), data.size()), error);
    if (error && error != beast::http::error::need_more) {
        return impl_->error_of(error);
    }
    if (in_head) {
        impl_->header_bytes += parsed + used;
        const auto waiting = collector.is_header_done() ? 0 : data.size() - parsed;
        if (impl_->header_bytes + waiting > impl_->header_bytes_max) {
            return impl_->too_large();
        }
        if (collector.is_header_done()) {
            if (auto refusal = impl_->check_head()) {
                return *refusal;
            }
        }
    }
    return used + parsed;
}

bool RequestParser::head_complete() const {
    return impl_->collector.is_header_done();
}

bool RequestParser::complete() const {
    return impl_->collector.is_done();
}

const std::string& RequestParser::method() const {
    return impl_->collector.method;
}

const std::string& RequestParser::target() const {
    return impl_->collector.target;
}

bool RequestParser::is_http_1_0() const {
    return impl_->collector.version == 10;
}

bool RequestParser::keep_alive() const {
    return impl_->collector.keep_alive();
}

Headers& RequestParser::headers() {
    return impl_->collector.headers;
}

std::optional<std::uint64_t> RequestParser::content_length() const {
    const auto length = impl_->collector.content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

std::string RequestParser::take_body() {
    return std::exchange(impl_->collector.body, std::string());
}

std::string_view reason_phrase(int status) {
    const auto known = beast::http::int_to_status(static_cast<unsigned>(status));
    if (known == beast::http::status::unknown) {
        return "Unknown";
    }
    const auto text = beast::http::obsolete_reason(known);
    return std::string_view(text.data(), text.size());
}

} // namespace methos::http
