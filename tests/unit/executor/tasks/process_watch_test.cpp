// Lost exits are noticed, and nothing else is taken for one: a folder plays /proc.
#include "executor/tasks/process_watch.hpp"

#include "executor/tasks/orphans.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/executor/without_cap_kill.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace methos::executor {

namespace {

using namespace std::chrono_literals;

const auto start = MonoTime(1h);
const TaskName demo("demo.1");

struct FakeProc {
    void run(std::int64_t pid, const std::string& cgroup) const {
        const auto path = folder.file(std::to_string(pid));
        std::filesystem::create_directories(path);
        std::ofstream(path + "/cgroup") << "0::/init.scope\n12:pids:" << cgroup << "\n";
    }

    void end(std::int64_t pid) const {
        std::filesystem::remove_all(folder.file(std::to_string(pid)));
    }

    methos::test::TemporaryFolder folder;
    ProcessWatch watch{folder.path().string()};
};

ContainerFacts running(std::int64_t pid) {
    ContainerFacts facts;
    facts.id = "c0ffee";
    facts.status = ContainerFacts::Status::Running;
    facts.pid = pid;
    return facts;
}

} // namespace

SCENARIO("a process that is gone while Docker says it runs is a lost exit") {
    FakeProc proc;
    proc.run(7, "/docker/c0ffee");
    proc.watch.saw(demo, running(7));
    CHECK(proc.watch.check(start).empty());

    SECTION("after more than ten seconds, and not again at once") {
        proc.end(7);
        CHECK(proc.watch.check(start + 30s).empty());
        CHECK(proc.watch.check(start + 40s).empty());
        const auto lost = proc.watch.check(start + 41s);
        REQUIRE(lost.size() == 1);
        CHECK(lost.front().name == demo);
        CHECK(lost.front().container_id == "c0ffee");
        CHECK(lost.front().times == 1);
        CHECK(proc.watch.check(start + 42s).empty());
        const auto again = proc.watch.check(start + 60s);
        REQUIRE(again.size() == 1);
        CHECK(again.front().times == 2);
    }
    SECTION("also when its pid is somebody else's by now") {
        proc.run(7, "/docker/another");
        CHECK(proc.watch.check(start + 30s).empty());
        CHECK(proc.watch.check(start + 60s).size() == 1);
    }
    SECTION("but not when inspect has said that it ended") {
        proc.end(7);
        CHECK(proc.watch.check(start + 30s).empty());
        auto ended = running(0);
        ended.status = ContainerFacts::Status::Exited;
        proc.watch.saw(demo, ended);
        CHECK(proc.watch.check(start + 60s).empty());
    }
    SECTION("but not when it was started again") {
        proc.end(7);
        CHECK(proc.watch.check(start + 30s).empty());
        proc.run(8, "/docker/c0ffee");
        proc.watch.saw(demo, running(8));
        CHECK(proc.watch.check(start + 60s).empty());
    }
}

SCENARIO("a Docker of another PID namespace is not judged by our /proc") {
    FakeProc proc;
    proc.run(7, "/user.slice");
    proc.watch.saw(demo, running(7));
    proc.watch.saw(TaskName("demo.2"), running(9));
    proc.end(7);
    CHECK(proc.watch.check(start).empty());
    CHECK(proc.watch.check(start + 60s).empty());
}

SCENARIO("only the processes of a lost container are ended") {
    const std::string id(64, 'a');
    const std::string other(64, 'b');
    const auto begin = [] {
        const auto pid = ::fork();
        if (pid == 0) {
            for (;;) {
                ::pause();
            }
        }
        return pid;
    };
    const auto ours = begin();
    const auto another = begin();
    REQUIRE(ours > 0);
    REQUIRE(another > 0);
    const FakeProc proc;
    proc.run(ours, "/docker/" + id);
    proc.run(another, "/docker/" + other);
    std::filesystem::create_directories(proc.folder.file("sys"));

    CHECK(kill_processes_of("", proc.folder.path().string()).killed == 0);
    CHECK(kill_processes_of(id.substr(0, 12), proc.folder.path().string()).killed == 0);
    const auto kills = kill_processes_of(id, proc.folder.path().string());
    CHECK(kills.killed > 0);
    CHECK(kills.refused == 0);
    int status = 0;
    REQUIRE(::waitpid(ours, &status, 0) == ours);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGKILL);
    CHECK(::waitpid(another, &status, WNOHANG) == 0);
    REQUIRE(::kill(another, SIGKILL) == 0);
    REQUIRE(::waitpid(another, &status, 0) == another);
}

SCENARIO("processes of a lost container that may not be signalled are counted") {
    if (!methos::test::has_cap_kill()) {
        WARN("needs root: left out");
        return;
    }
    const std::string id(64, 'a');
    const methos::test::ProcessOfNobody process;
    const FakeProc proc;
    proc.run(process.pid(), "/docker/" + id);
    const auto folder = proc.folder.path().string();
    CHECK(methos::test::answer_without_cap_kill([&] {
        const auto kills = kill_processes_of(id, folder);
        return kills.killed == 0 && kills.refused == 1;
    }));
    CHECK(kill_processes_of(id, folder).killed > 0);
}

} // namespace methos::executor
