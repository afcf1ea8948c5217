// `methos snapshot`: a file that is whole, verified and private, or no file at all, whatever the
// master sends and the disk takes; and the two verbs that need no master.
#include "tests/component/cli/scripted_master.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/snapshot_samples.hpp"
#include "tests/support/temporary_folder.hpp"

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace methos;
using namespace methos::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* nobody = "http://127.0.0.1:1"; ///< where no master is

void serve(ScriptedMaster& master, const std::string& bytes, Ending ending = Ending::Whole) {
    const auto half = bytes.size() / 2;
    const std::vector<std::string> pieces{bytes.substr(0, half), bytes.substr(half)};
    const auto reply = [pieces, ending](const http::Request&) {
        return streamed("application/octet-stream", pieces, ending);
    };
    master.answer("GET /methos/v1/snapshot", reply);
}

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::size_t files_in(const TemporaryFolder& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
}

bool contains(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

/// While it lives, no file grows beyond so many bytes.
class SmallFiles {
  public:
    explicit SmallFiles(rlim_t bytes_max) {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        auto small = before_;
        small.rlim_cur = bytes_max;
        ::setrlimit(RLIMIT_FSIZE, &small);
    }

    SmallFiles(const SmallFiles&) = delete;
    SmallFiles& operator=(const SmallFiles&) = delete;

    ~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

} // namespace

TEST_CASE("a snapshot is saved byte for byte, for its owner only, and summed up", "[cli]") {
    ScriptedMaster master;
    const TemporaryFolder folder;
    const auto bytes = state::samples::snapshot();
    serve(master, bytes);
    const auto file = folder.file("today");
    std::ofstream(file) << "yesterday's";
    const auto run = run_methos("http://" + master.address(), {"snapshot", "save", file});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "saved " + file));
    CHECK(contains(run.out, "cluster  c1"));
    CHECK(contains(run.out, "app=2"));
    CHECK(content_of(file) == bytes);
    CHECK(files_in(folder) == 1);

    struct stat info {};

    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600);
}

TEST_CASE("what is no whole snapshot is not kept, and what was there stays", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const TemporaryFolder folder;
    const auto file = folder.file("snapshot");
    std::ofstream(file) << "the one before";
    const auto bytes = state::samples::snapshot();
    SECTION("the connection breaks off") {
        serve(master, bytes, Ending::Broken);
        const auto run = run_methos(url, {"snapshot", "save", file});
        CHECK(run.code == 5);
        CHECK(contains(run.err, "broke off"));
    }
    SECTION("the answer ends early") {
        serve(master, bytes.substr(0, bytes.size() - 10));
        const auto run = run_methos(url, {"snapshot", "save", file});
        CHECK(run.code == 1);
        CHECK(contains(run.err, "cut short"));
    }
    SECTION("the answer is something else") {
        serve(master, "<html>a proxy's page</html>");
        const auto run = run_methos(url, {"snapshot", "save", file});
        CHECK(run.code == 1);
        CHECK(contains(run.err, "no snapshot"));
    }
    SECTION("the master refuses") {
        master.answer("GET /methos/v1/snapshot",
                      409,
                      R"({"error":{"code":"conflict","message":"one is being taken"}})");
        const auto run = run_methos(url, {"snapshot", "save", file});
        CHECK(run.code == 1);
        CHECK(contains(run.err, "one is being taken"));
    }
    SECTION("there is no master") {
        CHECK(run_methos(nobody, {"snapshot", "save", file}).code == 5);
    }
    SECTION("the disk is full") {
        serve(master, bytes);
        const SmallFiles disk(100);
        const auto run = run_methos(url, {"snapshot", "save", file});
        CHECK(run.code == 1);
        CHECK(contains(run.err, file + ".partial"));
        CHECK(contains(run.err, "nothing of it is left"));
    }
    CHECK(content_of(file) == "the one before");
    CHECK(files_in(folder) == 1);
}

TEST_CASE("a snapshot that cannot be written anywhere is told before it is asked for", "[cli]") {
    ScriptedMaster master;
    const auto run = run_methos("http://" + master.address(),
                                {"snapshot", "save", "/nonexistent/folder/snapshot"});
    CHECK(run.code == 2);
    CHECK(contains(run.err, "/nonexistent/folder/snapshot"));
    CHECK(master.requests().empty());
}

TEST_CASE("inspect needs no master and verifies everything", "[cli]") {
    const TemporaryFolder folder;
    const auto file = folder.file("snapshot");
    auto bytes = state::samples::snapshot();
    std::ofstream(file, std::ios::binary) << bytes;
    const auto run = run_methos(nobody, {"snapshot", "inspect", file, "-o", "json"});
    CHECK(run.code == 0);
    const auto document = nlohmann::json::parse(run.out);
    CHECK(document.at("cluster") == "c1");
    CHECK(document.at("epoch") == 7);
    CHECK(document.at("schema") == state::schema_version);
    CHECK(document.at("takenAt") == "2023-11-14T22:13:20.123Z");
    CHECK(document.at("records").at("app") == 2);
    CHECK(document.at("records").at("task") == 0);
    CHECK(document.at("sha256").get<std::string>().size() == 64);
    CHECK(run_methos(nobody, {"snapshot", "inspect", file, "-o", "name"}).out == file + "\n");

    bytes.at(bytes.size() / 2) = static_cast<char>(bytes.at(bytes.size() / 2) ^ 1);
    std::ofstream(file, std::ios::binary) << bytes;
    const auto damaged = run_methos(nobody, {"snapshot", "inspect", file});
    CHECK(damaged.code == 2);
    CHECK(damaged.out.empty());
    CHECK(contains(damaged.err, "damaged at frame"));
    CHECK(contains(damaged.err, file));
    CHECK(run_methos(nobody, {"snapshot", "inspect", folder.file("none")}).code == 4);
}

TEST_CASE("restore needs no master, and says what follows", "[cli]") {
    const TemporaryFolder folder;
    const auto file = folder.file("snapshot");
    const auto data = folder.file("data");
    std::ofstream(file, std::ios::binary) << state::samples::snapshot();
    CHECK(run_methos(nobody, {"snapshot", "restore", file}).code == 2); // where to is never guessed
    const auto run = run_methos(nobody, {"snapshot", "restore", file, "--data-dir", data});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "restored " + data));
    CHECK(contains(run.out, "epoch 1000008"));
    CHECK(contains(run.err, "bus.key"));
    CHECK(fs::exists(data + "/state.db"));
    const auto again = run_methos(nobody, {"snapshot", "restore", file, "--data-dir", data});
    CHECK(again.code == 1);
    CHECK(contains(again.err, "--force"));
    std::ofstream(data + "/bus.key") << "a key";
    const auto forced =
        run_methos(nobody, {"snapshot", "restore", file, "--data-dir", data, "--force"});
    CHECK(forced.code == 0);
    CHECK(contains(forced.out, data + "/state.db.before-restore"));
    CHECK(forced.err.empty());
}

TEST_CASE("snapshot without a verb, or with an unknown one, is bad usage", "[cli]") {
    CHECK(run_methos(nobody, {"snapshot"}).code == 2);
    CHECK(run_methos(nobody, {"snapshot", "take", "x"}).code == 2);
    CHECK(run_methos(nobody, {"snapshot", "save"}).code == 2);
}
