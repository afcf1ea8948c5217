// What an executor can do to processes of another user when its unit leaves it no CAP_KILL: runs a
// call in a child process of the test that has given the capability up.
#pragma once

#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace methos::test {

/// Only root has a capability to give up.
inline bool has_cap_kill() {
    return ::geteuid() == 0;
}

/// A process that runs as nobody, as many a container's does, and leads a group of its own.
class ProcessOfNobody {
  public:
    ProcessOfNobody() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            constexpr uid_t nobody = 65534;
            const bool ready = ::setsid() > 0 && ::setresuid(nobody, nobody, nobody) == 0 &&
                               ::write(ends[1], ".", 1) == 1;
            while (ready) {
                ::pause();
            }
            ::_exit(1);
        }
        ::close(ends[1]);
        char ready = 0;
        const auto told = ::read(ends[0], &ready, 1);
        ::close(ends[0]);
        REQUIRE(pid_ > 0);
        REQUIRE(told == 1);
    }

    ProcessOfNobody(const ProcessOfNobody&) = delete;
    ProcessOfNobody& operator=(const ProcessOfNobody&) = delete;

    ~ProcessOfNobody() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
};

/// In the calling process; false when the kernel refuses.
inline bool give_up_cap_kill() {
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) {
        return false;
    }
    sets[0].effective &= ~(1U << CAP_KILL);
    return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// What `call` says in a child without CAP_KILL.
template <class Call>
bool answer_without_cap_kill(Call call) {
    const auto child = ::fork();
    if (child == 0) {
        constexpr int no_answer = 2;
        ::_exit(!give_up_cap_kill() ? no_answer : call() ? 1 : 0);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

} // namespace methos::test
