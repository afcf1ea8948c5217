#include "executor/session/host_resources.hpp"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace methos::executor {

DiskSpace measure_disk(const std::string& folder) {
    std::filesystem::path path = folder;

    struct statvfs disk {};

    while (::statvfs(path.c_str(), &disk) != 0) {
        if (!path.has_relative_path()) {
            return {};
        }
        path = path.parent_path();
    }
    const auto block = static_cast<std::int64_t>(disk.f_frsize);
    DiskSpace space;
    space.total_bytes = static_cast<std::int64_t>(disk.f_blocks) * block;
    space.free_bytes = static_cast<std::int64_t>(disk.f_bavail) * block;
    space.files_total = static_cast<std::int64_t>(disk.f_files);
    space.files_free = static_cast<std::int64_t>(disk.f_favail);
    return space;
}

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

    host.scalars.disk_bytes =
        measure_disk(docker_root.empty() ? "/var/lib/docker" : docker_root).total_bytes;
    host.ports = PortSet(default_ports);
    return host;
}

} // namespace methos::executor
