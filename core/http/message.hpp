// HTTP as values: headers, bodies that stream, and nothing of any library. Client and server share
// it.
#pragma once

#include "core/runtime/async.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace methos::http {

/// Header fields in order; names compare without case, and may repeat.
class Headers {
  public:
    using Field = std::pair<std::string, std::string>;

    Headers() = default;

    Headers(std::initializer_list<Field> fields) : fields_(fields) {}

    /// The first value of that name, or empty.
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

    [[nodiscard]] bool has(std::string_view name) const { return get(name).has_value(); }

    void add(std::string name, std::string value);
    void set(std::string name, std::string value);
    void erase(std::string_view name);

    [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }

  private:
    std::vector<Field> fields_;
};

/// ASCII case-insensitive equality, as header names and Marathon's booleans need it.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);

/// Bytes that arrive piece by piece, pulled by the reader: that is the backpressure.
/// Destroying it gives up the rest. `read` throws Failure when the source breaks; a server that
/// sends such a body then cuts the connection, so that no client takes a broken body for a whole
/// one.
class BodyReader {
  public:
    BodyReader() = default;
    BodyReader(const BodyReader&) = delete;
    BodyReader& operator=(const BodyReader&) = delete;
    virtual ~BodyReader() = default;
    /// The next piece, never empty; nothing at the end.
    [[nodiscard]] virtual awaitable<std::optional<std::string>> read() = 0;

    /// Says that read() will not be called again, though others may still hold this object.
    virtual void abandon() noexcept {}
};

/// Reads all of it, at most `max_bytes`. Throws Failure(ResourceExhausted) beyond.
[[nodiscard]] awaitable<std::string> read_all(std::shared_ptr<BodyReader> body,
                                              std::size_t max_bytes);

/// A part of an open file, sent by the server without copying where the connection allows it.
struct FileBody {
    int descriptor = -1; ///< owned: the server closes it, also when it is not sent
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// Percent-decodes; with `plus_is_space` as query values need it. Malformed escapes stay as they
/// are.
[[nodiscard]] std::string percent_decode(std::string_view text, bool plus_is_space = false);
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view also_legal = "");

/// `a=1&b=&c` as decoded pairs, in order.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

} // namespace methos::http
