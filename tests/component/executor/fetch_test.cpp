// How a whole executor fetches what tasks want: from a real HTTP server that is well, slow, broken,
// runs in circles or sends too much, into sandboxes that are gone when their tasks are; and the
// registry credentials that come along.
#include "core/http/server.hpp"
#include "executor/docker/registry_auth.hpp"
#include "tests/component/executor/cluster_of_one.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>

namespace methos::executor::test {

namespace {

namespace fs = std::filesystem;

/// One piece, then what its gate and its end say.
class HeldBody final : public http::BodyReader {
  public:
    HeldBody(std::string piece, std::shared_ptr<Gate> hold, bool breaks)
        : piece_(std::move(piece)), hold_(std::move(hold)), breaks_(breaks) {}

    awaitable<std::optional<std::string>> read() override {
        if (!piece_.empty()) {
            co_return std::exchange(piece_, "");
        }
        if (hold_) {
            co_await hold_->wait();
        }
        if (breaks_) {
            throw Failure(Code::Unavailable, "cut by the test");
        }
        co_return std::nullopt;
    }

  private:
    std::string piece_;
    std::shared_ptr<Gate> hold_;
    bool breaks_;
};

/// Goes on until nobody takes it any more.
class EndlessBody final : public http::BodyReader {
  public:
    awaitable<std::optional<std::string>> read() override {
        constexpr std::size_t piece_bytes = 16 * 1024;
        co_return std::string(piece_bytes, 'x');
    }
};

Result<http::Principal> anybody(const http::Request& /*request*/) {
    return http::Principal{"anonymous", false};
}

http::Response print_error(const http::Request& /*request*/, const Error& error) {
    return http::Response(traits_of(error.code).http_status, "text/plain", error.to_string());
}

/// An executor that has joined, and a server whose files the test names.
struct Fetching : ClusterOfOne {
    Fetching() {
        http::Route route;
        route.method = "GET";
        route.pattern = "/{path*}";
        route.auth = http::Auth::Public;
        route.handler = [this](http::Request request) { return answer(std::move(request)); };
        http::Router router;
        router.add(std::move(route));
        server = std::make_unique<http::Server>(
            loop.get_executor(), std::move(router), anybody, print_error);
        address = server->listen("127.0.0.1:0");
    }

    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;

    ~Fetching() {
        if (executor) {
            stop(false);
        }
        run(server->stop(Duration::zero()));
    }

    awaitable<http::Response> answer(http::Request request) {
        asked.push_back(request.target);
        authorizations.push_back(request.headers.get("Authorization").value_or(""));
        const auto found = answers.find(request.path);
        if (found == answers.end()) {
            co_return http::Response(404);
        }
        co_return found->second();
    }

    void serve(const std::string& path, const std::string& text) {
        answers[path] = [text] { return http::Response(200, "text/plain", text); };
    }

    /// A body that begins with that text; `announced` is its length, as far as it is said.
    void serve_held(const std::string& path,
                    const std::string& text,
                    std::optional<std::uint64_t> announced,
                    bool breaks) {
        answers[path] = [this, text, announced, breaks] {
            http::Response response;
            response.stream = std::make_shared<HeldBody>(text, hold, breaks);
            response.stream_length = announced;
            return response;
        };
    }

    void join() {
        start();
        const auto before = master.inventories;
        run_until([this, before] { return master.inventories > before; });
    }

    [[nodiscard]] std::string url(const std::string& path) const {
        return "http://" + address + path;
    }

    void launch(const std::vector<FetchItem>& items, const std::string& image = "demo:1") {
        master.edit = [items](TaskLaunch&, TaskSpec& spec) { spec.fetch = items; };
        master.launch("demo.1", image);
    }

    /// What the task that must fail says at its end.
    TaskStatus failure_of(const std::vector<FetchItem>& items) {
        launch(items);
        run_until([this] {
            const auto* last = master.last("demo.1");
            return last != nullptr && is_terminal(last->state);
        });
        return *master.last("demo.1");
    }

    [[nodiscard]] bool was_told(const std::string& part) const {
        return std::any_of(master.statuses.begin(), master.statuses.end(), [&](const auto& told) {
            return told.message.find(part) != std::string::npos;
        });
    }

    [[nodiscard]] std::string sandbox() const {
        return options.data_dir + "/sandboxes/methos-demo.1";
    }

    [[nodiscard]] std::string text_of(const std::string& file) const {
        std::ifstream in(sandbox() + "/" + file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    /// Also of what is on its way out.
    [[nodiscard]] bool has_sandboxes() const {
        const auto all = options.data_dir + "/sandboxes";
        return fs::exists(all) && !fs::is_empty(all);
    }

    std::shared_ptr<Gate> hold; ///< of held bodies; none: they end at once
    std::map<std::string, std::function<http::Response()>> answers;
    std::vector<std::string> asked;
    std::vector<std::string> authorizations;
    std::unique_ptr<http::Server> server;
    std::string address;
};

FetchItem item(const std::string& uri, const std::string& output_file = "") {
    FetchItem wanted;
    wanted.uri = uri;
    wanted.output_file = output_file;
    return wanted;
}

} // namespace

SCENARIO("a task finds what it wanted fetched in its sandbox, and the sandbox goes with it") {
    Fetching one;
    one.join();
    one.serve("/files/a.txt", "hello");
    one.serve("/run", "#!/bin/sh");
    one.answers["/moved"] = [&one] {
        http::Response response(302);
        response.headers.set("Location", one.url("/files/a.txt"));
        return response;
    };
    auto run = item(one.url("/run"), "bin/run");
    run.executable = true;
    auto secret = item("http://user:pass@" + one.address + "/files/a.txt?token=abc");
    one.launch({secret, run, item(one.url("/moved"))});
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });

    CHECK(one.text_of("a.txt") == "hello");
    CHECK(one.text_of("moved") == "hello");
    CHECK(one.text_of("bin/run") == "#!/bin/sh");
    CHECK(fs::status(one.sandbox() + "/bin/run").permissions() == fs::perms(0755));
    CHECK(one.asked.at(0) == "/files/a.txt?token=abc");
    CHECK(one.authorizations.at(0) == "Basic dXNlcjpwYXNz");
    CHECK(one.was_told("fetching " + one.url("/files/a.txt") + " (1 of 3)"));
    CHECK_FALSE(one.was_told("pass"));
    CHECK_FALSE(one.was_told("abc"));

    const auto* container = one.docker.containers().at(0);
    CHECK(container->body.find(one.sandbox()) != std::string::npos);
    CHECK(container->body.find("/mnt/mesos/sandbox") != std::string::npos);
    CHECK(container->body.find("pass") == std::string::npos);
    const auto& env = container->environment;
    CHECK(std::find(env.begin(), env.end(), "MESOS_SANDBOX=/mnt/mesos/sandbox") != env.end());

    one.master.kill("demo.1", 0);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    one.run_until([&] { return !one.has_sandboxes(); });
}

SCENARIO("what cannot be fetched fails its task, says why, and leaves nothing") {
    Fetching one;
    one.options.fetch_bytes_max = 1000;
    one.options.fetch_stall = std::chrono::milliseconds(200);
    one.join();
    const std::string large(1001, 'x');
    one.answers["/circle"] = [&one] {
        http::Response response(302);
        response.headers.set("Location", one.url("/circle"));
        return response;
    };
    one.answers["/to-file"] = [] {
        http::Response response(302);
        response.headers.set("Location", "file:///etc/passwd");
        return response;
    };
    one.serve("/large", large);
    one.serve("/page.tgz", "<html>no archive</html>");
    one.serve_held("/broken", "half", 8, true);
    one.serve_held("/unsaid", large, std::nullopt, false);
    const auto [path, why] = GENERATE(table<std::string, std::string>({
        {"/none", "answered 404"},
        {"/circle", "redirects more than"},
        {"/to-file", "not followed"},
        {"/large", "larger than"},
        {"/unsaid", "larger than"},
        {"/broken", "could not fetch"},
        {"/silent", "could not fetch"},
        {"/page.tgz", "cannot unpack page.tgz"},
    }));
    CAPTURE(path);
    if (path == "/silent") {
        one.hold = std::make_shared<Gate>(one.loop.get_executor());
        one.serve_held("/silent", "begun", 100, false);
    }
    const auto end = one.failure_of({item("http://user:pass@" + one.address + path + "?t=abc")});
    CHECK(end.state == TaskState::Failed);
    CHECK(end.reason == Reason::LaunchFailed);
    INFO(end.message);
    CHECK(end.message.find(why) != std::string::npos);
    CHECK(end.message.find(one.url(path)) != std::string::npos);
    CHECK(end.message.find("pass") == std::string::npos);
    CHECK(end.message.find("abc") == std::string::npos);
    CHECK(one.docker.count("POST /containers/create") == 0);
    one.run_until([&] { return !one.has_sandboxes(); });
}

SCENARIO("all files of a task together are bounded") {
    Fetching one;
    one.options.fetch_bytes_max = 1000;
    one.join();
    std::vector<FetchItem> items;
    for (const auto* name : {"/a", "/b", "/c", "/d", "/e"}) {
        one.serve(name, std::string(900, 'x'));
        items.push_back(item(one.url(name)));
    }
    const auto end = one.failure_of(items);
    CHECK(end.reason == Reason::LaunchFailed);
    CHECK(end.message.find(one.url("/e")) != std::string::npos);
}

SCENARIO("a kill during a download gives it up") {
    Fetching one;
    one.options.fetch_bytes_max = std::uint64_t{1} << 40U;
    one.answers["/endless"] = [] {
        http::Response response;
        response.stream = std::make_shared<EndlessBody>();
        return response;
    };
    one.join();
    one.launch({item(one.url("/endless"))});
    one.run_until([&] { return fs::exists(one.sandbox() + "/endless"); });
    one.master.kill("demo.1", 0);
    one.run_until([&] { return one.master.has("demo.1", TaskState::Killed); });
    one.run_until([&] { return !one.has_sandboxes() && one.server->connections() == 0; });
    CHECK(one.docker.count("POST /containers/create") == 0);
}

SCENARIO("an executor that died while it fetched leaves nothing that its successor keeps") {
    Fetching one;
    one.hold = std::make_shared<Gate>(one.loop.get_executor());
    one.serve_held("/slow", "begun", 100, false);
    one.serve("/a", "text");
    one.join();
    one.launch({item(one.url("/a"))});
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    one.master.edit = [&one](TaskLaunch&, TaskSpec& spec) {
        spec.fetch = {item(one.url("/slow"))};
    };
    one.master.launch("demo.2", "demo:1");
    const auto other = one.options.data_dir + "/sandboxes/methos-demo.2";
    one.run_until([&] { return fs::exists(other + "/slow"); });
    one.stop(false);
    fs::create_directories(one.options.data_dir + "/sandboxes/.removed-1/deep"); // half removed
    CHECK(fs::exists(other));

    one.join();
    one.run_until([&] {
        return !fs::exists(other) && !fs::exists(one.options.data_dir + "/sandboxes/.removed-1");
    });
    CHECK(one.text_of("a") == "text"); // its container runs on
    one.master.kill("demo.1", 0);
    one.run_until([&] { return !one.has_sandboxes(); });
}

SCENARIO("files of the host are fetched only where the operator says") {
    Fetching one;
    const auto open = one.folder.file("open");
    fs::create_directories(open);
    std::ofstream(open + "/a.txt") << "hello";
    one.options.fetch_roots = {open};
    one.join();
    const auto denied = one.failure_of({item("file:///etc/passwd")});
    CHECK(denied.state == TaskState::Error);
    CHECK(denied.reason == Reason::PolicyDenied);
    CHECK(denied.message.find("--fetch-root") != std::string::npos);
    one.master.edit = [&](TaskLaunch&, TaskSpec& spec) { spec.fetch = {item(open + "/a.txt")}; };
    one.master.launch("demo.2", "demo:1");
    one.run_until([&] { return one.master.has("demo.2", TaskState::Running); });
    CHECK(fs::file_size(one.options.data_dir + "/sandboxes/methos-demo.2/a.txt") == 5);
}

SCENARIO("an image that vanished after the files were fetched does not fetch them again") {
    Fetching one;
    one.serve("/a", "text");
    one.docker.add_remote("demo:1");
    methos::test::FakeFault gone;
    gone.call = "POST /containers/create";
    gone.status = 404;
    gone.body = R"({"message":"No such image: demo:1"})";
    one.docker.inject(gone);
    one.join();
    one.launch({item(one.url("/a"))});
    one.run_until([&] { return one.master.has("demo.1", TaskState::Running); });
    CHECK(one.docker.count("POST /containers/create") == 2);
    CHECK(one.asked.size() == 1);
    CHECK(one.text_of("a") == "text");
}

SCENARIO("what nobody here could fetch is an error of the definition") {
    Fetching one;
    one.join();
    const auto end = one.failure_of({item("hdfs://namenode/a")});
    CHECK(end.state == TaskState::Error);
    CHECK(end.reason == Reason::InvalidSpec);
    CHECK(end.message.find("hdfs://namenode/a") != std::string::npos);
}

SCENARIO(
    "credentials go to the image's registry, a task's own before the host's, and to no proxy") {
    Fetching one;
    const methos::test::CapturedStderr captured;
    one.serve("/.dockercfg", R"({"https://r.example/v1/":{"auth":"dGFzazpvbmU="}})"); // task:one
    one.options.docker_config = one.folder.file("config.json");
    std::ofstream(one.options.docker_config)
        << R"({"auths":{"r.example":{"auth":"aG9zdDp0d28="},"s.example":{"auth":"aG9zdDp0d28="}}})";
    for (const auto* image : {"r.example/a:1", "s.example/a:1", "t.example/a:1", "r.example/b:1"}) {
        one.docker.add_remote(image);
    }
    const auto launch = [&one](const std::string& name, const std::string& image, bool own) {
        one.master.edit = [&one, own](TaskLaunch&, TaskSpec& spec) {
            if (own) {
                spec.fetch = {item(one.url("/.dockercfg"))};
            }
        };
        one.master.launch(name, image);
        one.run_until([&] { return one.master.has(name, TaskState::Running); });
        return one.docker.pull_credentials().back();
    };
    const auto said = [](const std::string& server, const std::string& user) {
        docker::RegistryAuth auth;
        auth.server = server;
        auth.username = user;
        auth.password = user == "task" ? "one" : "two";
        return docker::registry_auth_header(auth);
    };
    SECTION("straight") {
        one.join();
        CHECK(launch("demo.1", "r.example/a:1", true) == said("https://r.example/v1/", "task"));
        CHECK(launch("demo.2", "r.example/b:1", false) == said("r.example", "host"));
        CHECK(launch("demo.3", "s.example/a:1", true) == said("s.example", "host"));
        CHECK(launch("demo.4", "t.example/a:1", true) == "");
    }
    SECTION("past a proxy that refuses") {
        one.options.registry_proxy = HostPort{"127.0.0.1", 5000};
        methos::test::FakePull denied;
        denied.status = 403;
        denied.message = "denied: this upstream is not allowed";
        one.docker.add_remote("127.0.0.1:5000/r.example/a:1", denied);
        one.join();
        CHECK(launch("demo.1", "r.example/a:1", true) == said("https://r.example/v1/", "task"));
        REQUIRE(one.docker.pull_credentials().size() == 2);
        CHECK(one.docker.pull_credentials().at(0) == "");
    }
    one.stop();
    CHECK(captured.text().find("dGFzazpvbmU") == std::string::npos);
    CHECK(captured.text().find("aG9zdDp0d28") == std::string::npos);
}

SCENARIO("credentials that cannot be read fail their task without being repeated") {
    Fetching one;
    one.serve("/.dockercfg", "secretword");
    one.docker.add_remote("r.example/a:1");
    one.join();
    one.launch({item(one.url("/.dockercfg"))}, "r.example/a:1");
    one.run_until([&] { return one.master.has("demo.1", TaskState::Failed); });
    CHECK(one.was_told(".dockercfg"));
    CHECK_FALSE(one.was_told("secretword"));
    CHECK(one.docker.count("POST /images/create") == 0);
}

} // namespace methos::executor::test
