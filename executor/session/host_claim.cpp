#include "executor/session/host_claim.hpp"

#include "core/observe/log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <utility>

namespace methos::executor {

namespace {

namespace fs = std::filesystem;

/// Askers are never accepted: each leaves one entry behind, and a full queue says "claimed" as
/// well.
constexpr int askers_max = 128;

[[noreturn]] void fail(const std::string& what, int number) {
    throw Failure(Error(Code::Internal,
                        what + ": " + std::strerror(number), // NOLINT(concurrency-mt-unsafe)
                        Cause{Cause::Kind::Errno, number}));
}

/// A socket without a file (unix(7), "abstract"): its name goes with the process that has it.
int make_socket() {
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        fail("cannot make a socket", errno);
    }
    return made;
}

template <class Call>
bool call_with_name(const Call& call, int descriptor, const HostId& id) {
    const auto name = "methos-executor/" + id.value;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto length = std::min(name.size(), sizeof(address.sun_path) - 1);
    std::memcpy(&address.sun_path[1], name.data(), length); // [0] stays zero
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    return call(descriptor, reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

/// The name can be taken by any user of the machine, who must not be able to keep executors away.
bool is_trusted(int connected) {
    ucred owner{};
    socklen_t size = sizeof(owner);
    return ::getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0 &&
           (owner.uid == 0 || owner.uid == ::geteuid());
}

} // namespace

HostClaim::HostClaim(HostClaim&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

HostClaim& HostClaim::operator=(HostClaim&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

HostClaim::~HostClaim() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

HostClaim HostClaim::of_data_dir(const std::string& data_dir) {
    std::error_code error;
    fs::create_directories(data_dir, error);
    if (error) {
        fail("cannot make the data directory " + data_dir, error.value());
    }
    const auto path = (fs::path(data_dir) / "lock").string();
    HostClaim claim(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (claim.descriptor_ < 0) {
        fail("cannot write " + path, errno);
    }
    if (::flock(claim.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            fail("cannot lock " + path, errno);
        }
        throw Failure(Code::Conflict,
                      "another methos-executor uses the data directory " + data_dir +
                          ": end it, or give this one its own --data-dir");
    }
    return claim;
}

HostClaim HostClaim::of_host(const HostId& id, const std::string& data_dir) {
    HostClaim claim(make_socket());
    if (call_with_name(::bind, claim.descriptor_, id)) {
        if (::listen(claim.descriptor_, askers_max) != 0) {
            fail("cannot claim the host id " + id.value, errno);
        }
        return claim;
    }
    const int number = errno;
    if (number == EADDRINUSE && is_claimed(id)) {
        throw Failure(Code::Conflict,
                      "another methos-executor on this machine runs as host " + id.value +
                          ", which " + data_dir +
                          " says to be this one: end it, or remove host.id there to join as a new "
                          "host");
    }
    log::warning(
        "the host id cannot be claimed; going on without",
        {{"host", id.value}, {"error", std::strerror(number)}}); // NOLINT(concurrency-mt-unsafe)
    return {};
}

bool is_claimed(const HostId& id) {
    const int asking = make_socket();
    const bool connected = call_with_name(::connect, asking, id);
    const bool claimed = connected ? is_trusted(asking) : errno == EAGAIN;
    ::close(asking);
    return claimed;
}

} // namespace methos::executor
