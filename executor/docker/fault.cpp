#include "executor/docker/fault.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace methos::docker {

namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return result;
}

/// One row: the texts that must all be in the (lower-case) message. Order matters: the first row
/// that fits says what it is.
struct TextRule {
    EngineFault fault;
    std::string_view first;
    std::string_view second = {};
};

/// Words of dockerd 20.10 to 29 and of what it hands through (containerd, runc, the kernel).
constexpr std::array text_rules{
    // First those that quote what a task may choose: its command, user and host paths.
    TextRule{EngineFault::BadCommand, "exec: \"", "executable file not found"},
    TextRule{EngineFault::BadCommand, "exec: \"", "no such file or directory"},
    TextRule{EngineFault::BadCommand, "exec: \"", "permission denied"},
    TextRule{EngineFault::BadCommand, "exec: \"", "is a directory"},
    TextRule{EngineFault::BadMount, "bind source path does not exist"},
    TextRule{EngineFault::BadConfig, "unable to find user"},
    TextRule{EngineFault::BadConfig, "unable to find group"},
    TextRule{EngineFault::NameConflict, "is already in use by container"},
    TextRule{EngineFault::RemovalInProgress, "removal of container", "in progress"},
    TextRule{EngineFault::RemovalInProgress, "marked for removal"},
    TextRule{EngineFault::NoSpace, "no space left on device"},
    TextRule{EngineFault::NoSpace, "disk quota exceeded"},
    TextRule{EngineFault::PortConflict, "port is already allocated"},
    TextRule{EngineFault::PortConflict, "address already in use"},
    TextRule{EngineFault::PortConflict, "ports are not available"},
    TextRule{EngineFault::NoDevice, "could not select device driver"},
    TextRule{EngineFault::NoDevice, "error gathering device information"},
    TextRule{EngineFault::NoDevice, "nvidia-container-cli"},
    TextRule{EngineFault::BadMount, "invalid mount config"},
    TextRule{EngineFault::BadMount, "invalid volume specification"},
    TextRule{EngineFault::BadMount, "mount source path"},
    TextRule{EngineFault::BadMount, "error mounting"},
    TextRule{EngineFault::BadMount, "volume plugin"},
    TextRule{EngineFault::BadCommand, "executable file not found"},
    TextRule{EngineFault::BadCommand, "exec format error"},
    TextRule{EngineFault::BadCommand, "exec: ", "no such file or directory"},
    TextRule{EngineFault::BadCommand, "exec: ", "permission denied"},
    TextRule{EngineFault::BadCommand, "exec: ", "is a directory"},
    TextRule{EngineFault::BadCommand, "no command specified"},
    TextRule{EngineFault::BadConfig, "cannot unmarshal"},
    TextRule{EngineFault::BadConfig, "invalid reference format"},
    TextRule{EngineFault::NoSuchImage, "no such image"},
    TextRule{EngineFault::NoSuchContainer, "no such container"},
    TextRule{EngineFault::NotRunning, "is not running"},
    TextRule{EngineFault::NotRunning, "is paused"},
};

/// What registries and the way to them say, in pulls.
constexpr std::array pull_rules{
    TextRule{EngineFault::Retryable, "toomanyrequests"},
    TextRule{EngineFault::Retryable, "too many requests"},
    TextRule{EngineFault::Retryable, "rate limit"},
    TextRule{EngineFault::ImageUnknown, "manifest unknown"},
    TextRule{EngineFault::ImageUnknown, "name unknown"},
    TextRule{EngineFault::ImageUnknown, "no matching manifest"},
    TextRule{EngineFault::ImageUnknown, "manifest for ", "not found"},
    TextRule{EngineFault::PullDenied, "pull access denied"},
    TextRule{EngineFault::PullDenied, "unauthorized"},
    TextRule{EngineFault::PullDenied, "no basic auth credentials"},
    TextRule{EngineFault::PullDenied, "denied:"},
    TextRule{EngineFault::Permanent, "server gave http response to https client"},
    TextRule{EngineFault::Permanent, "x509:"},
};

/// The Engine's own helpers are away or slow; nothing is known about the request.
constexpr std::array infrastructure_rules{
    TextRule{EngineFault::Retryable, "connection error"},
    TextRule{EngineFault::Retryable, "connection refused"},
    TextRule{EngineFault::Retryable, "unavailable"},
    TextRule{EngineFault::Retryable, "deadline exceeded"},
    TextRule{EngineFault::Retryable, "transport is closing"},
    TextRule{EngineFault::Retryable, "cannot allocate memory"},
};

/// runc refused the configuration: a bad sysctl, capability, working directory...
constexpr std::array runtime_rules{
    TextRule{EngineFault::BadConfig, "oci runtime"},
    TextRule{EngineFault::BadConfig, "linux runtime spec"},
};

template <std::size_t Size>
bool match(const std::array<TextRule, Size>& rules, const std::string& text, EngineFault& fault) {
    for (const auto& rule : rules) {
        const bool fits = text.find(rule.first) != std::string::npos &&
                          text.find(rule.second) != std::string::npos;
        if (fits) {
            fault = rule.fault;
            return true;
        }
    }
    return false;
}

EngineFault fault_of_not_found(EngineCall call, const std::string& text) {
    if (text.find("network") != std::string::npos && call != EngineCall::Pull) {
        return EngineFault::NetworkNotFound;
    }
    switch (call) {
    case EngineCall::Create:
    case EngineCall::Image:
        return EngineFault::NoSuchImage;
    case EngineCall::Pull:
        return EngineFault::ImageUnknown;
    case EngineCall::Other:
        return EngineFault::Permanent;
    default:
        return EngineFault::NoSuchContainer;
    }
}

EngineFault fault_of_conflict(EngineCall call) {
    switch (call) {
    case EngineCall::Create:
        return EngineFault::NameConflict;
    case EngineCall::Kill:
        return EngineFault::NotRunning;
    default:
        return EngineFault::InUse;
    }
}

EngineFault fault_of_status(EngineCall call, int status, const std::string& text) {
    switch (status) {
    case 404:
        return fault_of_not_found(call, text);
    case 409:
        return fault_of_conflict(call);
    case 401:
    case 403:
        return call == EngineCall::Pull ? EngineFault::PullDenied : EngineFault::Permanent;
    case 408:
    case 429:
        return EngineFault::Retryable;
    case 501:
        return EngineFault::Permanent;
    default:
        break;
    }
    if (status >= 400 && status < 500) {
        return EngineFault::BadConfig;
    }
    // 5xx, and errors inside the stream of a pull (200).
    return EngineFault::Retryable;
}

/// The second quoted word of: Conflict. The container name "/x" is already in use by container
/// "id".
std::string holder_of(const std::string& message) {
    constexpr std::string_view before = "by container \"";
    const auto start = message.find(before);
    if (start == std::string::npos) {
        return {};
    }
    const auto id = start + before.size();
    const auto end = message.find('"', id);
    return end == std::string::npos ? std::string() : message.substr(id, end - id);
}

Code code_of(EngineFault fault) {
    switch (fault) {
    case EngineFault::NoSuchContainer:
    case EngineFault::NoSuchImage:
    case EngineFault::NetworkNotFound:
    case EngineFault::ImageUnknown:
        return Code::NotFound;
    case EngineFault::NameConflict:
    case EngineFault::RemovalInProgress:
    case EngineFault::NotRunning:
    case EngineFault::InUse:
    case EngineFault::PortConflict:
        return Code::Conflict;
    case EngineFault::NoSpace:
        return Code::ResourceExhausted;
    case EngineFault::PullDenied:
        return Code::Unauthorized;
    case EngineFault::Retryable:
        return Code::Unavailable;
    case EngineFault::BadCommand:
    case EngineFault::BadMount:
    case EngineFault::BadConfig:
    case EngineFault::NoDevice:
    case EngineFault::Permanent:
        return Code::InvalidInput;
    }
    return Code::Internal;
}

} // namespace

std::string_view to_string(EngineFault fault) {
    switch (fault) {
    case EngineFault::NoSuchContainer:
        return "no_such_container";
    case EngineFault::NoSuchImage:
        return "no_such_image";
    case EngineFault::NetworkNotFound:
        return "network_not_found";
    case EngineFault::NameConflict:
        return "name_conflict";
    case EngineFault::RemovalInProgress:
        return "removal_in_progress";
    case EngineFault::NotRunning:
        return "not_running";
    case EngineFault::InUse:
        return "in_use";
    case EngineFault::PortConflict:
        return "port_conflict";
    case EngineFault::NoSpace:
        return "no_space";
    case EngineFault::BadCommand:
        return "bad_command";
    case EngineFault::BadMount:
        return "bad_mount";
    case EngineFault::BadConfig:
        return "bad_config";
    case EngineFault::NoDevice:
        return "no_device";
    case EngineFault::ImageUnknown:
        return "image_unknown";
    case EngineFault::PullDenied:
        return "pull_denied";
    case EngineFault::Retryable:
        return "retryable";
    case EngineFault::Permanent:
        return "permanent";
    }
    return "permanent";
}

bool is_retryable(EngineFault fault) {
    return fault == EngineFault::Retryable || fault == EngineFault::RemovalInProgress ||
           fault == EngineFault::NoSpace;
}

Error EngineError::to_error() const {
    std::optional<Cause> cause;
    if (status != 0) {
        cause = Cause{Cause::Kind::Http, status};
    }
    return Error(code_of(fault), "Docker: " + message, cause);
}

EngineError classify(EngineCall call, int status, std::string message) {
    const auto text = lower(message);
    auto fault = EngineFault::Permanent;
    const bool known = (call == EngineCall::Pull && match(pull_rules, text, fault)) ||
                       match(text_rules, text, fault) || match(infrastructure_rules, text, fault) ||
                       match(runtime_rules, text, fault);
    if (!known) {
        fault = fault_of_status(call, status, text);
    }
    EngineError error;
    error.fault = fault;
    error.status = status;
    if (fault == EngineFault::NameConflict) {
        error.holder = holder_of(message);
    }
    error.message = std::move(message);
    return error;
}

void throw_exception_from_error(const EngineError& error, const boost::source_location& /*where*/) {
    throw Failure(error.to_error());
}

} // namespace methos::docker
