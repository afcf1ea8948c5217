// Bodies for the tests of this folder: sources that break, never end or count what was pulled, and
// the routes and readers they go with.
#pragma once

#include "core/http/client.hpp"
#include "core/http/server.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace methos::http::test {

/// What the two ends of a socket may hold in the kernel.
inline constexpr std::size_t socket_buffers_max = 32 * 1024 * 1024;

/// A body made of given pieces; counts what was read, and can break at its end.
class Pieces final : public BodyReader {
  public:
    explicit Pieces(std::list<std::string> pieces, std::optional<Error> failure = std::nullopt)
        : pieces_(std::move(pieces)), failure_(std::move(failure)) {}

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    void abandon() noexcept override { abandoned = true; }

    bool abandoned = false;

  private:
    std::list<std::string> pieces_;
    std::optional<Error> failure_;
};

/// A body without end, that counts how much of it was pulled.
class Endless final : public BodyReader {
  public:
    explicit Endless(std::size_t piece_bytes) : piece_bytes_(piece_bytes) {}

    [[nodiscard]] awaitable<std::optional<std::string>> read() override;

    void abandon() noexcept override { abandoned = true; }

    std::size_t pulled_bytes = 0;
    bool abandoned = false;

  private:
    std::size_t piece_bytes_;
};

/// Bytes that differ everywhere, so that a lost or doubled piece shows.
[[nodiscard]] std::string pattern(std::size_t bytes);

/// `whole` in pieces of at most that size.
[[nodiscard]] std::list<std::string> cut(const std::string& whole, std::size_t piece_bytes);

/// Answers with that body, once.
[[nodiscard]] Handler streams(std::shared_ptr<BodyReader> body,
                              std::optional<std::uint64_t> length);

/// A public PUT whose body is streamed and may be as long as it likes.
[[nodiscard]] Route upload_route(std::string path, Handler handler);

/// Pulls the whole body and says how long it was.
[[nodiscard]] awaitable<Response> count_upload(Request request);

/// Reads to the end; the code of the failure that came instead, if one did.
[[nodiscard]] awaitable<std::optional<Code>> code_of_reading(std::shared_ptr<ClientStream> stream);

} // namespace methos::http::test
