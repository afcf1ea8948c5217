// The one error type of Methos, and the table that says what each kind of error means to a caller.
// An expected failure is returned as Result<T>; one that ends the operation is thrown as Failure.
// Pure values: no logging, no I/O.
#pragma once

#include <boost/system/result.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace methos {

/// What kind of failure it is, told by what the caller can do about it.
enum class Code {
    InvalidInput,      ///< the input is wrong; sending it again will not help
    Unauthorized,      ///< no credentials, or wrong ones
    Forbidden,         ///< known, but not allowed
    NotFound,          ///< what was named does not exist
    Conflict,          ///< the state does not allow it now (exists already, locked, taken)
    ResourceExhausted, ///< a limit, a quota or a disk is full
    Unavailable,       ///< the other side is not there; try again later
    Timeout,           ///< the deadline passed; the outcome may be unknown
    Cancelled,         ///< the caller gave up; not an error to report
    Protocol,          ///< the other side broke the protocol
    Unimplemented,     ///< a contract names it, no code does it yet
    Internal,          ///< our own mistake
};

enum class LogLevel { Debug, Info, Warning, Error };

/// What a Code means at each rim of the programs: one row of the one table.
struct CodeTraits {
    Code code;
    std::string_view name; ///< stable lower_snake name, as printed in `{"error":{"code"}}`
    int http_status;
    int exit_code; ///< of the CLI, DESIGN section 8
    LogLevel log_level;
};

[[nodiscard]] const CodeTraits& traits_of(Code code) noexcept;

/// The Code that an HTTP status of another program means to us (404 -> NotFound, 5xx ->
/// Unavailable...).
[[nodiscard]] Code code_of_http_status(int status) noexcept;

/// The number some other system gave: an errno, a CURLcode, an HTTP status, a ZeroMQ or SQLite
/// code.
struct Cause {
    enum class Kind { Errno, Http, Curl, Zmq, Sqlite, Other } kind = Kind::Other;
    int number = 0;
    friend bool operator==(const Cause&, const Cause&) = default;
};

/// An error as a value: kind, a sentence for people, and the operations it passed through.
struct Error {
    Code code = Code::Internal;
    std::string message;
    std::vector<std::string> context; ///< innermost first: "while pulling image X"
    std::optional<Cause> cause;

    Error() = default;

    Error(Code code_, std::string message_, std::optional<Cause> cause_ = std::nullopt)
        : code(code_), message(std::move(message_)), cause(cause_) {}

    /// Adds one line of context and returns the error, so that it can be used in a return
    /// statement.
    [[nodiscard]] Error with_context(std::string line) &&;

    /// Message and context in one line: "connection refused (while pulling image X; on host Y)".
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const Error&, const Error&) = default;
};

/// An Error on its way up a stack that cannot go on.
class Failure : public std::runtime_error {
  public:
    explicit Failure(Error error);
    Failure(Code code, std::string message);
    Failure(const Failure&) = default;
    Failure& operator=(const Failure&) = default;
    ~Failure() override;

    [[nodiscard]] const Error& error() const noexcept { return error_; }

    [[nodiscard]] Code code() const noexcept { return error_.code; }

  private:
    Error error_;
};

[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

template <class T = void>
using Result = boost::system::result<T, Error>;

/// What the exception in flight says, whatever its type. Call it inside a catch block.
[[nodiscard]] Error error_of_current_exception();

/// The same for a stored exception, as task groups and completion handlers get it.
[[nodiscard]] Error error_of(const std::exception_ptr& exception);

} // namespace methos
