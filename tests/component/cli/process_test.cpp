// The built program itself: streams and exit codes of a real process, Ctrl-C in the middle of a
// wait, and `methos dev` with daemons that only pretend.
#include "cli/client/child_process.hpp"
#include "tests/component/cli/scripted_master.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>

using namespace methos;
using namespace methos::test;
namespace fs = std::filesystem;

namespace {

std::string methos_program() {
    const char* path = std::getenv("METHOS_CLI"); // NOLINT(concurrency-mt-unsafe)
    REQUIRE(path != nullptr);
    return path;
}

/// A process whose output is collected; whatever happens, it ends with the test.
class Running {
  public:
    explicit Running(const std::vector<std::string>& command) : child_("methos", command) {}

    /// Reads until the text has come.
    void wait_for(const std::string& part) {
        while (output_.find(part) == std::string::npos && child_.output() >= 0) {
            read();
        }
        INFO(output_);
        REQUIRE(output_.find(part) != std::string::npos);
    }

    /// Reads until it has ended; how it ended.
    std::string wait_for_end() {
        while (child_.output() >= 0) {
            read();
        }
        while (child_.is_running()) {
            ::poll(nullptr, 0, 1);
        }
        return child_.how_it_ended();
    }

    void send_signal(int number) const { child_.send_signal(number); }

    [[nodiscard]] const std::string& output() const { return output_; }

  private:
    void read() {
        pollfd watched{child_.output(), POLLIN, 0};
        constexpr int limit_ms = 60'000;
        REQUIRE(::poll(&watched, 1, limit_ms) == 1);
        child_.read_lines([this](const std::string& line) { output_ += line + "\n"; });
    }

    cli::ChildProcess child_;
    std::string output_;
};

std::vector<std::string> with_environment(const std::vector<std::string>& variables,
                                          const std::vector<std::string>& command) {
    std::vector<std::string> all = {"/usr/bin/env", "-i", "PATH=/usr/bin:/bin"};
    all.insert(all.end(), variables.begin(), variables.end());
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

/// A program that says how it was called, and that it was told to stop.
void write_pretender(const fs::path& path, const std::string& end) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\necho called $*\ntrap 'echo stopping; exit 0' TERM\n" << end;
    fs::permissions(path, fs::perms::owner_all);
}

constexpr const char* for_ever = "while :; do sleep 0.05; done\n";

/// A build tree in which the daemons pretend.
struct PretendTree {
    TemporaryFolder folder;

    PretendTree() {
        fs::create_directories(folder.path() / "cli");
        fs::copy_file(methos_program(), folder.path() / "cli/methos");
        write_pretender(folder.path() / "registry-proxy/methos-registry-proxy", for_ever);
        write_pretender(folder.path() / "master/methos-master", for_ever);
        write_pretender(folder.path() / "executor/methos-executor", for_ever);
    }

    /// Where the master would.
    void write_token(const std::string& token) const {
        fs::create_directories(folder.path() / "data/master");
        std::ofstream(folder.path() / "data/master/admin.token") << token << "\n";
    }

    [[nodiscard]] std::vector<std::string> dev(const std::string& master_address) const {
        return with_environment({"HOME=" + folder.file("home")},
                                {folder.file("cli/methos"),
                                 "dev",
                                 "--http",
                                 master_address,
                                 "--data-dir",
                                 folder.file("data"),
                                 "--docker",
                                 "unix:///pretended.sock"});
    }

    [[nodiscard]] std::string config() const {
        std::ifstream file(folder.file("home/.config/methos/config.toml"));
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

} // namespace

TEST_CASE("the program takes its environment and gives its exit code", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /v2/apps", 200, R"({"apps":[{"id":"/demo"}]})");
    const std::vector<std::string> variables = {"METHOS_URL=http://" + master.address(),
                                                "METHOS_TOKEN=secret"};
    Running good(with_environment(variables, {methos_program(), "ls", "-o", "name"}));
    CHECK(good.wait_for_end() == "ended with code 0");
    CHECK(good.output() == "/demo\n");
    Running bad(with_environment({"METHOS_URL=http://127.0.0.1:1"}, {methos_program(), "ls"}));
    CHECK(bad.wait_for_end() == "ended with code 5");
}

TEST_CASE("output that nobody takes is no success", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /v2/apps", 200, R"({"apps":[{"id":"/demo"}]})");
    Running full(
        with_environment({"METHOS_URL=http://" + master.address(), "METHOS_TOKEN=secret"},
                         {"/bin/sh", "-c", "exec \"$0\" ls > /dev/full", methos_program()}));
    CHECK(full.wait_for_end() == "ended with code 1");
}

TEST_CASE("Ctrl-C ends the wait, not the change", "[cli]") {
    ScriptedMaster master;
    master.answer("POST /v2/apps", 201, R"({"id":"/demo"})");
    master.answer("GET /methos/v1/apps/demo", 200, R"({"app":{"id":"/demo","instances":1}})");
    Running waiting(
        with_environment({"METHOS_URL=http://" + master.address(), "METHOS_TOKEN=secret"},
                         {methos_program(), "run", "demo"}));
    master.wait_for("GET /methos/v1/apps/demo", 2);
    waiting.send_signal(SIGINT);
    CHECK(waiting.wait_for_end() == "ended with code 130");
    CHECK(waiting.output().find("goes on in the background") != std::string::npos);
    CHECK(master.changes().size() == 1);
}

TEST_CASE("Ctrl-C ends a log that is followed", "[cli]") {
    ScriptedMaster master;
    const std::string task = "demo.instance-b6ff3a54-1111-2222-3333-444455556666._app.1";
    master.answer("GET /methos/v1/logs/" + task, [](const http::Request&) {
        return streamed("application/x-ndjson", {"{\"line\":\"hello\"}\n"}, Ending::StaysOpen);
    });
    Running following(
        with_environment({"METHOS_URL=http://" + master.address(), "METHOS_TOKEN=secret"},
                         {methos_program(), "logs", "-f", task}));
    following.wait_for("hello");
    following.send_signal(SIGINT);
    CHECK(following.wait_for_end() == "ended with code 130");
}

TEST_CASE("dev starts proxy, master and executor, and ends them in the opposite order", "[cli]") {
    ScriptedMaster master; // answers /ping where the pretended one should
    master.answer_in_turn("GET /methos/v1/hosts",
                          {R"({"hosts":[]})",
                           R"({"hosts":[{"state":"DOCKER_DOWN"}]})",
                           R"({"hosts":[{"state":"UP"}]})"});
    const PretendTree tree;
    tree.write_token("secret");
    Running dev(tree.dev(master.address()));
    dev.wait_for("executor | called");
    const auto& output = dev.output();
    CHECK(output.find("proxy    | called --http 127.0.0.1:") < output.find("executor | called"));
    CHECK(output.find("master   | called --http " + master.address() + " --bus tcp://127.0.0.1:") !=
          std::string::npos);
    CHECK(output.find("--join @" + tree.folder.file("data/master/join.token") +
                      " --docker unix:///pretended.sock --registry-proxy http://127.0.0.1:") !=
          std::string::npos);
    dev.wait_for("no host is UP. Does Docker at unix:///pretended.sock answer?");
    dev.wait_for("A cluster of this machine runs");
    CHECK(output.find("no host is UP") < output.find("A cluster of this machine runs"));
    CHECK(tree.config().find("url = \"http://" + master.address() + "\"") != std::string::npos);
    CHECK(tree.config().find("current = \"dev\"") == 0);

    dev.send_signal(SIGTERM);
    CHECK(dev.wait_for_end() == "ended with code 0");
    const auto executor_end = output.find("executor | stopping");
    const auto master_end = output.find("master   | stopping");
    const auto proxy_end = output.find("proxy    | stopping");
    CHECK(executor_end < master_end);
    CHECK(master_end < proxy_end);
    CHECK(proxy_end != std::string::npos);
    CHECK(tree.config().empty());
}

TEST_CASE("dev ends while it waits for Docker", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /methos/v1/hosts", 200, R"({"hosts":[{"state":"DOCKER_DOWN"}]})");
    const PretendTree tree;
    tree.write_token("secret");
    Running dev(tree.dev(master.address()));
    dev.wait_for("Nothing can run yet");
    dev.send_signal(SIGINT);
    CHECK(dev.wait_for_end() == "ended with code 0");
    const auto& output = dev.output();
    CHECK(output.find("Nothing can run yet") == output.rfind("Nothing can run yet")); // said once
    CHECK(output.find("A cluster of this machine runs") == std::string::npos);
}

TEST_CASE("dev ends when one of its daemons does, and says which", "[cli]") {
    ScriptedMaster master;
    const PretendTree tree;
    write_pretender(tree.folder.path() / "executor/methos-executor",
                    "echo no docker here >&2; exit 3\n");
    Running dev(tree.dev(master.address()));
    CHECK(dev.wait_for_end() == "ended with code 1");
    CHECK(dev.output().find("executor | no docker here") != std::string::npos);
    CHECK(dev.output().find("methos-executor ended with code 3") != std::string::npos);
    CHECK(dev.output().find("master   | stopping") != std::string::npos);
}

TEST_CASE("dev without its daemons says what is missing", "[cli]") {
    const PretendTree tree;
    fs::remove(tree.folder.path() / "master/methos-master");
    Running dev(tree.dev("127.0.0.1:1"));
    CHECK(dev.wait_for_end() == "ended with code 2");
    CHECK(dev.output().find("methos-master is neither at") != std::string::npos);
}
