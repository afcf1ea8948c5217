// What an error answer of the Docker Engine means. The Engine says little by status (a 404 of start
// may be a network, a 500 may be the user's mistake), so the text is read too; all of that is in
// this one table. Pure.
#pragma once

#include "core/base/error.hpp"

#include <string>
#include <string_view>

namespace methos::docker {

/// Why the Engine refused, told by what the caller can do.
enum class EngineFault {
    NoSuchContainer,
    NoSuchImage,       ///< vanished, or never was: pull (again)
    NetworkNotFound,   ///< the config names a network that is not there
    NameConflict,      ///< another container has the name; see EngineError::holder
    RemovalInProgress, ///< poll until NoSuchContainer
    NotRunning,        ///< kill and exec need a running container
    InUse,             ///< an image or a network that something still uses
    PortConflict,      ///< a host port is taken: other port or other host
    NoSpace,           ///< the disk is full: the host is not well
    BadCommand,        ///< the program is not in the image or not executable
    BadMount,          ///< a bind source is missing, or a mount cannot be made
    BadConfig,         ///< the Engine finds the request itself wrong
    NoDevice,          ///< no GPU or no such device on this host
    ImageUnknown,      ///< the registry does not have it
    PullDenied,        ///< the registry wants other credentials
    Retryable,         ///< infrastructure: containerd away, registry away, too many requests
    Permanent,         ///< none of the above, and asking again will not help
};

[[nodiscard]] std::string_view to_string(EngineFault fault);

/// Asking the same of the same Engine later may help.
[[nodiscard]] bool is_retryable(EngineFault fault);

/// An answer by which the Engine refused. Not: no answer (that is a thrown Failure, after which
/// the outcome is unknown).
struct EngineError {
    EngineFault fault = EngineFault::Permanent;
    int status = 0;      ///< HTTP; 200 where the error came inside a pull's stream
    std::string message; ///< the Engine's own words
    std::string holder;  ///< of NameConflict: id of the container that has the name; may be empty

    /// For callers that have no use for the details.
    [[nodiscard]] Error to_error() const;
};

/// What was asked when the error came; the same text means different things.
enum class EngineCall { Create, Start, Stop, Kill, Remove, Inspect, Image, Pull, Other };

/// `message` is the text of {"message": ...}, or of errorDetail.message in a pull (status 200).
[[nodiscard]] EngineError classify(EngineCall call, int status, std::string message);

[[noreturn]] void throw_exception_from_error(const EngineError& error,
                                             const boost::source_location& where);

/// A value, or the Engine's refusal. value() throws the refusal as Failure.
template <class T>
using Answer = boost::system::result<T, EngineError>;

} // namespace methos::docker
