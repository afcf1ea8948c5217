// Host paths of tasks on a whole executor: links are followed before Docker is asked for anything,
// and a path that hangs whoever looks at it, as one of a file server that is gone does, holds up
// its own task only.
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/catch.hpp"

#include <atomic>
#include <future>

namespace methos::executor::test {

namespace {

using namespace std::chrono_literals;

/// A file server: who looks at what is below /nfs waits until it answers.
struct FileServer {
    FileServer() : answers(gate.get_future().share()) {}

    FileServer(const FileServer&) = delete;
    FileServer& operator=(const FileServer&) = delete;

    ~FileServer() { come_back(); }

    void come_back() {
        if (!is_back) {
            is_back = true;
            gate.set_value();
        }
    }

    std::promise<void> gate;
    std::shared_future<void> answers;
    bool is_back = false;
};

struct Mounting : ClusterOfOne {
    explicit Mounting(Duration limit) {
        senses.host_paths.limit = limit;
        senses.host_paths.look = [server = server.answers, count = looks](const Policy&,
                                                                          const std::string& path) {
            if (path.starts_with("/nfs")) {
                ++*count;
                server.wait();
            }
            return Result<std::string>(path);
        };
        start();
        run_until([this] { return master.inventories > 0; });
    }

    void launch(const std::string& name, const std::string& path) {
        master.edit = [path](TaskLaunch&, TaskSpec& spec) {
            spec.volumes = {VolumeMount{path, "/data", false}};
        };
        master.launch(name, "demo:1");
    }

    void run_until_told(const std::string& name, TaskState state) {
        run_until([&] { return master.has(name, state); });
    }

    FileServer server;
    std::shared_ptr<std::atomic<int>> looks = std::make_shared<std::atomic<int>>(0);
};

} // namespace

SCENARIO("a host path that does not answer holds up its own task only") {
    Mounting one(1h);
    one.launch("demo.1", "/nfs/data");
    one.run_until([&] { return *one.looks == 1; });
    one.launch("demo.2", "/srv/data");
    one.run_until_told("demo.2", TaskState::Running);
    CHECK_FALSE(one.master.has("demo.1", TaskState::Running));
    CHECK(one.docker.containers().size() == 1);
    WHEN("it answers late") {
        one.server.come_back();
        one.run_until_told("demo.1", TaskState::Running);
    }
    WHEN("the executor is stopped meanwhile") {
        one.stop();
        CHECK(one.master.goodbyes == 1);
    }
}

SCENARIO("a host path that goes on not answering fails its task, and costs one look") {
    Mounting one(20ms);
    one.launch("demo.1", "/nfs/data");
    one.run_until_told("demo.1", TaskState::Failed);
    CHECK(one.master.last("demo.1")->reason == Reason::LaunchFailed);
    CHECK(one.master.last("demo.1")->message.find("/nfs/data does not answer") !=
          std::string::npos);
    one.launch("demo.2", "/nfs/data");
    one.run_until_told("demo.2", TaskState::Failed);
    one.run_until([&] { return *one.looks > 0; }); // a thread may begin late
    CHECK(*one.looks == 1);
    CHECK(one.docker.containers().empty());

    THEN("as many more as there may be looks lose theirs, and then nobody looks") {
        for (int i = 3; i < 9; ++i) {
            const auto name = "demo." + std::to_string(i);
            one.launch(name, "/nfs/" + name);
            one.run_until_told(name, TaskState::Failed);
        }
        one.run_until([&] { return *one.looks > 3; });
        CHECK(*one.looks == 4);
        one.launch("demo.9", "/srv/data");
        one.run_until_told("demo.9", TaskState::Failed);
    }
    one.server.come_back();
    int tries = 10;
    const auto name = [&tries] { return "demo." + std::to_string(tries); };
    one.launch(name(), "/nfs/data");
    one.run_until([&] { // it takes a while to hear of it
        if (one.master.has(name(), TaskState::Failed)) {
            ++tries;
            one.launch(name(), "/nfs/data");
        }
        return one.master.has(name(), TaskState::Running);
    });
}

SCENARIO("a link is followed before Docker is asked for a container") {
    Joined one;
    std::filesystem::create_directory(one.folder.file("real"));
    std::filesystem::create_symlink("real", one.folder.file("fine"));
    std::filesystem::create_symlink("/", one.folder.file("root"));
    const auto launch = [&one](const std::string& name, const std::string& link) {
        one.master.edit = [path = one.folder.file(link)](TaskLaunch&, TaskSpec& spec) {
            spec.volumes = {VolumeMount{path, "/data", false}};
        };
        one.master.launch(name, "demo:1");
    };
    launch("demo.1", "root");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Error); });
    CHECK(one.master.last("demo.1")->reason == Reason::PolicyDenied);
    CHECK(one.docker.containers().empty());
    launch("demo.2", "fine");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    const auto real = std::filesystem::canonical(one.folder.file("real")).string();
    CHECK(one.docker.containers().at(0)->body.find(real + ":/data:rw") != std::string::npos);
}

} // namespace methos::executor::test
