#include "core/base/error.hpp"

#include <boost/system/system_error.hpp>

#include <array>
#include <cerrno>
#include <exception>
#include <system_error>

namespace methos {

namespace {

constexpr std::array<CodeTraits, 12> code_table{{
    {Code::InvalidInput, "invalid_input", 400, 2, LogLevel::Info},
    {Code::Unauthorized, "unauthorized", 401, 5, LogLevel::Warning},
    {Code::Forbidden, "forbidden", 403, 5, LogLevel::Warning},
    {Code::NotFound, "not_found", 404, 4, LogLevel::Info},
    {Code::Conflict, "conflict", 409, 1, LogLevel::Info},
    {Code::ResourceExhausted, "resource_exhausted", 507, 1, LogLevel::Error},
    {Code::Unavailable, "unavailable", 503, 5, LogLevel::Warning},
    {Code::Timeout, "timeout", 504, 124, LogLevel::Warning},
    {Code::Cancelled, "cancelled", 499, 1, LogLevel::Debug},
    {Code::Protocol, "protocol", 502, 1, LogLevel::Error},
    {Code::Unimplemented, "unimplemented", 501, 2, LogLevel::Info},
    {Code::Internal, "internal", 500, 1, LogLevel::Error},
}};

Code code_of_errno(int number) noexcept {
    switch (number) {
    case ENOENT:
        return Code::NotFound;
    case EEXIST:
    case EADDRINUSE:
        return Code::Conflict;
    case EACCES:
    case EPERM:
        return Code::Forbidden;
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EDQUOT:
        return Code::ResourceExhausted;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE:
        return Code::Unavailable;
    case ETIMEDOUT:
        return Code::Timeout;
    case ECANCELED:
        return Code::Cancelled;
    case EINVAL:
        return Code::InvalidInput;
    default:
        return Code::Internal;
    }
}

/// Boost's codes arrive here as well: they convert, errno's categories to std's.
Error error_of_system(const std::error_code& code, const char* what) {
    const bool is_errno =
        code.category() == std::generic_category() || code.category() == std::system_category();
    if (is_errno) {
        return Error(code_of_errno(code.value()), what, Cause{Cause::Kind::Errno, code.value()});
    }
    return Error(Code::Internal, what);
}

} // namespace

const CodeTraits& traits_of(Code code) noexcept {
    for (const auto& row : code_table) {
        if (row.code == code) {
            return row;
        }
    }
    return code_table.back();
}

Code code_of_http_status(int status) noexcept {
    switch (status) {
    case 401:
        return Code::Unauthorized;
    case 403:
        return Code::Forbidden;
    case 404:
    case 410:
        return Code::NotFound;
    case 408:
    case 504:
        return Code::Timeout;
    case 409:
    case 412:
        return Code::Conflict;
    case 429:
    case 507:
        return Code::ResourceExhausted;
    case 501:
        return Code::Unimplemented;
    default:
        break;
    }
    if (status >= 400 && status < 500) {
        return Code::InvalidInput;
    }
    if (status >= 500 && status < 600) {
        return Code::Unavailable;
    }
    return Code::Protocol;
}

Error Error::with_context(std::string line) && {
    context.push_back(std::move(line));
    return std::move(*this);
}

std::string Error::to_string() const {
    if (context.empty()) {
        return message;
    }
    std::string text = message + " (";
    for (std::size_t i = 0; i < context.size(); ++i) {
        text += (i == 0 ? "" : "; ") + context[i];
    }
    return text + ")";
}

// Out of line, so that not every file compiles them, and the class's tables with them.
Failure::Failure(Error error) : std::runtime_error(error.to_string()), error_(std::move(error)) {}

Failure::Failure(Code code, std::string message) : Failure(Error(code, std::move(message))) {}

Failure::~Failure() = default;

void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
    throw Failure(error);
}

Error error_of_current_exception() {
    try {
        throw;
    } catch (const Failure& failure) {
        return failure.error();
    } catch (const std::system_error& failure) {
        return error_of_system(failure.code(), failure.what());
    } catch (const boost::system::system_error& failure) { // of Asio; no kin of std's
        return error_of_system(failure.code(), failure.what());
    } catch (const std::bad_alloc&) {
        return Error(Code::ResourceExhausted, "out of memory");
    } catch (const std::exception& failure) {
        return Error(Code::Internal, failure.what());
    } catch (...) {
        return Error(Code::Internal, "unknown exception");
    }
}

Error error_of(const std::exception_ptr& exception) {
    if (!exception) {
        return Error(Code::Internal, "no exception");
    }
    try {
        std::rethrow_exception(exception);
    } catch (...) {
        return error_of_current_exception();
    }
}

} // namespace methos
