// Bytes to requests: Beast's HTTP/1 parser behind plain values. Pure: it is fed, and asked. The
// only place, with its .cpp, that knows Beast.
#pragma once

#include "core/http/message.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace methos::http {

/// Parses one request. Feed it until head_complete(), look at the head, then feed it the body.
class RequestParser {
  public:
    explicit RequestParser(std::size_t header_bytes_max);
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) noexcept;

    /// Takes what it can of `data` and returns how many bytes that was; what is left over must be
    /// fed again, with more behind it. Stops behind the head once.
    /// Errors: InvalidInput with the HTTP status to answer as its cause (400, 414, 431, 505).
    [[nodiscard]] Result<std::size_t> put(std::string_view data);

    [[nodiscard]] bool head_complete() const;
    [[nodiscard]] bool complete() const; ///< head and body

    [[nodiscard]] const std::string& method() const;
    [[nodiscard]] const std::string& target() const;
    [[nodiscard]] bool is_http_1_0() const;
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] Headers& headers();
    [[nodiscard]] std::optional<std::uint64_t> content_length() const;
    /// The bytes of the body parsed since the last call.
    [[nodiscard]] std::string take_body();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// "Not Found" for 404; "Unknown" where nobody knows.
[[nodiscard]] std::string_view reason_phrase(int status);

} // namespace methos::http
