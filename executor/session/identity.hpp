// Who this host is, across restarts: host id, host key and CURVE keys, as files of the data
// directory (mode 0600, written whole or not at all). Read once at start. Blocking file calls.
#pragma once

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/bus/bus.hpp"

#include <string>

namespace methos::executor {

struct HostIdentity {
    HostId id;
    std::string key; ///< ties the id to this host; the master refuses another host with our id
    bus::CurveKeys curve;
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] bool is_host_id(const std::string& text);

[[nodiscard]] bool has_host_id(const std::string& data_dir);

/// Loads it, or makes and saves a new one, then with the host id `known_id` if that is not empty
/// (it was found in the labels of this host's containers). Throws Failure naming the file: Internal
/// (cannot be read or written), InvalidInput (its content is not ours).
[[nodiscard]] HostIdentity load_or_make_identity(const std::string& data_dir,
                                                 const std::string& known_id = "");

} // namespace methos::executor
