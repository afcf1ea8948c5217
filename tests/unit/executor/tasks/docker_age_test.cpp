// Since when Docker listens, by its files: a folder plays /run, with /proc in it.
#include "executor/tasks/docker_age.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace methos::executor {

namespace {

struct Run {
    void write(const std::string& name, const std::string& text, std::time_t at) const {
        const auto path = folder.file(name);
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
        const timespec time{at, 0};
        const timespec times[] = {time, time};
        REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    }

    [[nodiscard]] WallTime since() const {
        return docker_listens_since(folder.file("docker.sock"), folder.file("proc"));
    }

    methos::test::TemporaryFolder folder;
};

WallTime at(std::time_t seconds) {
    return WallTime(std::chrono::seconds(seconds));
}

} // namespace

SCENARIO("a dockerd is as old as its socket, or its pid file where systemd made the socket") {
    const Run run;
    CHECK(run.since() == WallTime());
    run.write("docker.sock", "", 1000);
    CHECK(run.since() == at(1000));

    WHEN("its pid file is younger") {
        run.write("docker.pid", "4242", 5000);
        THEN("that counts while the process is a dockerd") {
            CHECK(run.since() == at(1000)); // a file that a dead one left
            run.write("proc/4242/comm", "nginx\n", 1);
            CHECK(run.since() == at(1000));
            run.write("proc/4242/comm", "dockerd\n", 1);
            CHECK(run.since() == at(5000));
        }
    }
    WHEN("its pid file is older, as where dockerd makes the socket itself") {
        run.write("docker.pid", "4242\n", 900);
        run.write("proc/4242/comm", "dockerd\n", 1);
        CHECK(run.since() == at(1000));
    }
    WHEN("the pid file holds anything") {
        run.write("proc/4242/comm", "dockerd\n", 1);
        for (const auto* text : {"", "x", "-1", "99999999999999999999", "../4242"}) {
            run.write("docker.pid", text, 5000);
            CHECK(run.since() == at(1000));
        }
    }
}

} // namespace methos::executor
