// A command that hangs is ended with what it has forked, and nobody else is: a folder plays /proc,
// real processes play the command.
#include "executor/checks/overdue_command.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/executor/without_cap_kill.hpp"

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace methos::executor {

namespace {

/// A process and its child, both of which hang and hold a pipe open.
struct Command {
    explicit Command(bool leads_group) {
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        pid = ::fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            if (leads_group) {
                ::setsid();
                (void)::fork();
            }
            const char ready = '.';
            (void)!::write(ends[1], &ready, 1);
            for (;;) {
                ::pause();
            }
        }
        ::close(ends[1]);
        read_from(leads_group ? 2 : 1);
    }

    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    ~Command() {
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        ::close(ends[0]);
    }

    void read_from(int processes) const {
        char ready = 0;
        for (int i = 0; i < processes; ++i) {
            REQUIRE(::read(ends[0], &ready, 1) == 1);
        }
    }

    /// Returns once nobody holds the pipe.
    [[nodiscard]] bool all_end() const {
        char none = 0;
        return ::read(ends[0], &none, 1) == 0;
    }

    std::array<int, 2> ends{};
    pid_t pid = 0;
};

struct FakeProc {
    void show(pid_t pid, const std::string& container) const {
        const auto path = folder.file(std::to_string(pid));
        std::filesystem::create_directories(path);
        std::ofstream(path + "/cgroup") << "0::/docker/" << container << "\n";
    }

    [[nodiscard]] CommandEnd end(std::int64_t pid) const {
        return end_command("c0ffee", pid, folder.path().string());
    }

    methos::test::TemporaryFolder folder;
};

} // namespace

SCENARIO("a command that hangs is ended with its children") {
    const FakeProc proc;
    const Command command(true);
    proc.show(command.pid, "c0ffee");
    CHECK(proc.end(command.pid) == CommandEnd::Signalled);
    CHECK(command.all_end());
}

SCENARIO("a command that leads no group is ended alone") {
    const FakeProc proc;
    const Command command(false);
    proc.show(command.pid, "c0ffee");
    CHECK(proc.end(command.pid) == CommandEnd::Signalled);
    CHECK(command.all_end());
}

SCENARIO("who does not belong to the container is let alone") {
    const FakeProc proc;
    const Command stranger(true);
    CHECK(proc.end(stranger.pid) == CommandEnd::NotThere);
    proc.show(stranger.pid, "another");
    CHECK(proc.end(stranger.pid) == CommandEnd::NotThere);
    CHECK(::kill(stranger.pid, 0) == 0);
    proc.show(1, "c0ffee"); // its group's number would be everybody's
    CHECK(proc.end(1) == CommandEnd::NotThere);
    CHECK(proc.end(0) == CommandEnd::NotThere);
}

SCENARIO("a command that may not be signalled is not called ended") {
    if (!methos::test::has_cap_kill()) {
        WARN("needs root: left out");
        return;
    }
    const FakeProc proc;
    const methos::test::ProcessOfNobody command;
    proc.show(command.pid(), "c0ffee");
    CHECK(methos::test::answer_without_cap_kill(
        [&] { return proc.end(command.pid()) == CommandEnd::Refused; }));
    CHECK(proc.end(command.pid()) == CommandEnd::Signalled);
}

} // namespace methos::executor
