// The Engine's JSON answers as values. Tolerant of what versions 1.41 to 1.52 leave out; strict
// only where an answer without the field would be no answer (an id). Pure. Everything here throws
// Failure(Protocol) for text that is not what was asked for.
#pragma once

#include "executor/docker/values.hpp"

#include <string>
#include <vector>

namespace methos::docker {

[[nodiscard]] EngineInfo decode_info(const std::string& body);
[[nodiscard]] ImageInfo decode_image(const std::string& body);
[[nodiscard]] CreatedContainer decode_created(const std::string& body);
[[nodiscard]] ContainerState decode_container(const std::string& body);
[[nodiscard]] std::vector<ContainerSummary> decode_list(const std::string& body);
/// One line of the events stream, in the old shape (status, id, from) or the new one.
[[nodiscard]] Event decode_event(const std::string& line);
/// The text of {"message": ...}; the body itself, cut, where it is something else.
[[nodiscard]] std::string decode_message(const std::string& body);

/// What GET /version told.
struct VersionAnswer {
    ApiVersion api_max;
    ApiVersion api_min;
    std::string engine;
    std::string os;
    std::string arch;
    std::string kernel;
};

[[nodiscard]] VersionAnswer decode_version(const std::string& body);

/// "Id" of POST /exec, and what GET /exec told.
[[nodiscard]] std::string decode_exec_id(const std::string& body);

struct ExecState {
    bool running = false;
    int exit_code = 0;
    std::int64_t pid = 0; ///< as dockerd sees it; 0 when it does not run
};

[[nodiscard]] ExecState decode_exec_state(const std::string& body);

/// The texts of the "stream" lines of a load; an errorDetail in it goes to `error`.
struct LoadOutput {
    std::string text;
    std::string error;
};

[[nodiscard]] LoadOutput decode_load(const std::string& body);

} // namespace methos::docker
