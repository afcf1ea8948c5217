#include "executor/session/host_resources.hpp"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace methos::executor {

HostResources detect_host_resources(const std::string& docker_root) {
    HostResources host;
    constexpr std::int64_t milli = 1000;
    host.scalars.milli_cpus = std::max<std::int64_t>(1, ::sysconf(_SC_NPROCESSORS_ONLN)) * milli;

    struct sysinfo memory {};

    if (::sysinfo(&memory) == 0) {
        const auto total =
            static_cast<std::int64_t>(memory.totalram) * static_cast<std::int64_t>(memory.mem_unit);
        host.scalars.mem_bytes = total - std::min(mem_kept_bytes, total / 10);
    }

    std::filesystem::path folder = docker_root.empty() ? "/var/lib/docker" : docker_root;

    struct statvfs disk {};

    while (::statvfs(folder.c_str(), &disk) != 0 && folder.has_relative_path()) {
        folder = folder.parent_path();
    }
    host.scalars.disk_bytes =
        static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize);
    host.ports = PortSet(default_ports);
    return host;
}

} // namespace methos::executor
