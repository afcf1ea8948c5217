// The commands that read, against a scripted master: tables for people, the API's bytes for
// programs, logs as they come; and what every kind of bad answer is told as.
#include "tests/component/cli/scripted_master.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <future>
#include <thread>

using namespace methos;
using namespace methos::test;
using namespace std::chrono_literals;

namespace {

// Odd blanks and an unknown field: what is printed unchanged keeps them.
constexpr const char* apps_document =
    R"({"apps": [ {"id":"/web","instances":2,"tasksRunning":2,"cpus":0.1,"mem":128,)"
    R"("container":{"docker":{"image":"nginx:1"},"portMappings":[{"containerPort":80}]},"new":1},)"
    R"({"id":"/batch","instances":1,"tasksRunning":0,"container":{"docker":{"image":"b"}}} ]})";

constexpr const char* demo_document =
    R"({"app":{"id":"/demo","instances":2,"tasksRunning":1,"tasksStaged":0,"cpus":0.5,"mem":64,)"
    R"("container":{"docker":{"image":"demo:1"}},"version":"2026-01-01T00:00:00.000Z",)"
    R"("tasks":[{"id":"demo.instance-b6ff3a54-1111-2222-3333-444455556666._app.1","host":"n1",)"
    R"("ports":[31000],"state":"TASK_RUNNING","appId":"/demo","message":"fine"}],)"
    R"("lastTaskFailure":{"host":"n2","state":"TASK_FAILED","message":"exited with 3"}}})";

constexpr const char* why_document =
    R"({"app":"/demo","wanted":2,"running":1,"waiting":[{"count":1,"reasons":[)"
    R"({"reason":"Mem","hosts":3}],"text":"1 instance cannot be placed: 3 hosts are full"}]})";

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Answers one connection with raw bytes after its request; holds it open when told to.
class RawMaster {
  public:
    RawMaster(std::string bytes, bool hold)
        : acceptor_(loop_, {asio::ip::address_v4::loopback(), 0}),
          thread_([this, bytes = std::move(bytes), hold] { serve(bytes, hold); }) {}

    RawMaster(const RawMaster&) = delete;
    RawMaster& operator=(const RawMaster&) = delete;

    ~RawMaster() {
        release_.set_value();
        thread_.join();
    }

    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }

  private:
    void serve(const std::string& bytes, bool hold) {
        asio::ip::tcp::socket socket(loop_);
        acceptor_.accept(socket);
        boost::system::error_code ignored;
        asio::streambuf request;
        asio::read_until(socket, request, "\r\n\r\n", ignored);
        asio::write(socket, asio::buffer(bytes), ignored);
        if (hold) {
            release_.get_future().wait();
        }
    }

    asio::io_context loop_;
    asio::ip::tcp::acceptor acceptor_;
    std::promise<void> release_;
    std::thread thread_;
};

} // namespace

TEST_CASE("ls shows one line per app, and asks why one is short of instances", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /v2/apps", 200, apps_document);
    master.answer("GET /methos/v1/why/batch", 200, why_document);
    const auto table = run_methos(url, {"ls"});
    CHECK(table.code == 0);
    CHECK(table.out == "ID      IMAGE    INSTANCES  STATUS   PORTS   VERSION\n"
                       "/batch  b        0/1        Waiting  -       -\n"
                       "/web    nginx:1  2/2        Running  80/tcp  -\n");
    CHECK(run_methos(url, {"-o", "json", "ls"}).out == std::string(apps_document) + "\n");
    CHECK(run_methos(url, {"ls", "-o", "name"}).out == "/batch\n/web\n");
    CHECK(contains(run_methos(url, {"ls", "-o", "yaml"}).out, "apps:\n  - id: /web\n"));
    CHECK(contains(run_methos(url, {"ls", "-o", "wide"}).out, "128 MB"));
    master.answer("GET /v2/apps", 200, R"({"apps":[]})");
    const auto empty = run_methos(url, {"ls"});
    CHECK(empty.code == 0);
    CHECK(contains(empty.err, "methos run"));
}

TEST_CASE("status shows an app, its instances and what failed last", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/apps/demo", 200, demo_document);
    master.answer("GET /methos/v1/why/demo", 200, why_document);
    const auto run = run_methos(url, {"status", "demo"});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "/demo  Waiting\n"));
    CHECK(contains(run.out, "Instances:  1 of 2 running, 1 waiting (3 hosts are full)\n"));
    CHECK(contains(run.out, "b6ff3a54  n1    running  n1:31000  -      fine\n"));
    CHECK(contains(run.out, "Last failure: failed on n2: exited with 3\n"));
    CHECK(run_methos(url, {"status", "/demo", "-o", "json"}).out ==
          std::string(demo_document) + "\n");
}

TEST_CASE("status tells how much of an image is there", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/apps/demo",
                  200,
                  R"({"app":{"id":"/demo","instances":1,"tasks":[{"id":"a","host":"n1","ports":[],
        "state":"TASK_STAGING","message":"pulling nginx: 1.0/4.0 MB, 1/3 layers",
        "image":{"bytesDone":1000000,"bytesTotal":4000000,"percent":25,"layersDone":1,"layersTotal":3}}]}})");
    master.answer("GET /methos/v1/why/demo", 200, why_document);
    const auto run = run_methos(url, {"status", "demo"});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "staging, image 25 %"));
    CHECK(contains(run.out, "1 pulling (25 %, 1.0/4.0 MB, 1/3 layers)"));
}

TEST_CASE("status of an app that is being deleted shows what is left of it", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /methos/v1/apps/demo",
                  200,
                  R"({"app":{"id":"/demo","instances":0,"deleting":true,"deployments":[{"id":"d"}],
        "tasks":[{"id":"a","host":"n1","ports":[],"state":"TASK_KILLING"}]}})");
    const auto run = run_methos("http://" + master.address(), {"status", "demo"});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "/demo  Deleting\n"));
    CHECK(contains(run.out, "Instances:  0 of 0 running, 1 stopping\n"));
}

TEST_CASE("hosts of the same name are told apart", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/apps/demo",
                  200,
                  R"({"app":{"id":"/demo","instances":3,"tasksRunning":3,"tasks":[
        {"id":"a","host":"vm","slaveId":"2e001111-x","address":"10.0.0.1","ports":[31366],"state":"TASK_RUNNING"},
        {"id":"b","host":"vm","slaveId":"9f002222-y","address":"10.0.0.2","ports":[31366],"state":"TASK_RUNNING"},
        {"id":"c","host":"n3","slaveId":"aa003333-z","address":"10.0.0.3","ports":[31366],"state":"TASK_RUNNING"}]}})");
    const auto run = run_methos(url, {"status", "demo"});
    CHECK(contains(run.out, "a         vm (2e001111)  running  10.0.0.1:31366  "));
    CHECK(contains(run.out, "b         vm (9f002222)  running  10.0.0.2:31366  "));
    CHECK(contains(run.out, "c         n3             running  n3:31366        "));
}

TEST_CASE("an older master without extensions is understood", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/apps/demo", 501, R"({"error":{"message":"not yet"}})");
    master.answer("GET /v2/apps/demo", 200, demo_document);
    CHECK(contains(run_methos(url, {"status", "demo"}).out, "1 of 2 running, 1 waiting\n"));
}

TEST_CASE("an unknown app names those that are similar", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /v2/apps", 200, R"({"apps":[{"id":"/demo"},{"id":"/other"}]})");
    master.answer("GET /v2/tasks", 200, R"({"tasks":[]})");
    const std::vector<std::string> verb =
        GENERATE(values<std::vector<std::string>>({{"status", "dmeo"},
                                                   {"why", "dmeo"},
                                                   {"logs", "dmeo"},
                                                   {"scale", "dmeo", "2"},
                                                   {"rm", "dmeo"}}));
    const auto run = run_methos(url, verb);
    INFO(verb.front());
    CHECK(run.code == 4);
    CHECK(contains(run.err, "there is no app /dmeo; did you mean /demo?"));
    CHECK(run.out.empty());
    for (const auto& change : master.changes()) {
        CHECK(change.rfind("DELETE", 0) == 0);
    }
}

TEST_CASE("why prints the master's sentence, and the counts in the wide form", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/why/demo", 200, why_document);
    CHECK(run_methos(url, {"why", "demo"}).out ==
          "/demo: 1 of 2 running\n1 instance cannot be placed: 3 hosts are full\n");
    CHECK(contains(run_methos(url, {"why", "demo", "-o", "wide"}).out,
                   "INSTANCES  REASON  HOSTS\n1          Mem     3\n"));
    CHECK(run_methos(url, {"why", "demo", "-o", "json"}).out == std::string(why_document) + "\n");
    master.answer("GET /methos/v1/why/demo", 200, R"({"wanted":2,"running":2,"waiting":[]})");
    CHECK(run_methos(url, {"why", "demo"}).out == "/demo: 2 of 2 running; nothing waits\n");
}

TEST_CASE("hosts are listed, and one is found by name", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string document =
        R"({"hosts":[{"id":"aaaabbbbcccc","hostname":"n1","state":"UP","address":"10.0.0.1",)"
        R"("resources":{"cpus":{"total":4,"used":0.5},"mem":{"total":8192,"used":128}},)"
        R"("docker":{"version":"20.10.24"},"tasks":3},{"id":"ffff","hostname":"n2","state":"LOST"}]})";
    master.answer("GET /methos/v1/hosts", 200, document);
    const auto run = run_methos(url, {"hosts"});
    CHECK(contains(run.out,
                   "n1    aaaabbbb  UP     10.0.0.1  0.5/4  128 MB/8 GB  3      20.10.24\n"));
    CHECK(contains(run.out, "n2    ffff      LOST   -         0/0    0 MB/0 MB    -      -\n"));
    CHECK(run_methos(url, {"hosts", "-o", "json"}).out == document + "\n");
    CHECK(run_methos(url, {"hosts", "aaaa", "-o", "name"}).out == "aaaabbbbcccc\n");
    CHECK(run_methos(url, {"hosts", "n3"}).code == 4);
}

TEST_CASE("a host that takes no new tasks says why", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string host =
        R"({"id":"aaaabbbbcccc","hostname":"n1","state":"UP","trouble":"its disk is full"})";
    master.answer("GET /methos/v1/hosts", 200, R"({"hosts":[)" + host + "]}");
    master.answer("GET /methos/v1/hosts/aaaabbbbcccc", 200, R"({"host":)" + host + "}");
    CHECK(run_methos(url, {"hosts"}).err == "n1 takes no new tasks: its disk is full\n");
    const auto inspected = run_methos(url, {"hosts", "inspect", "n1"});
    CHECK(contains(inspected.out, "takes no new tasks: its disk is full\n"));
}

TEST_CASE("version tells both, and does without a master", "[cli]") {
    ScriptedMaster master;
    master.answer("GET /v2/info", 200, R"({"version":"1.11.0","buildref":"0.1.0"})");
    const auto run = run_methos("http://" + master.address(), {"version"});
    CHECK(run.code == 0);
    CHECK(contains(run.out, "methos 0."));
    CHECK(contains(run.out, "master 0.1.0 at http://127.0.0.1:"));
    const auto alone = run_methos("http://127.0.0.1:1", {"version", "-o", "json"});
    CHECK(alone.code == 0);
    CHECK(contains(alone.out, "no master answers"));
}

TEST_CASE("logs keep the two streams apart and name instances where there are several", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    const std::string task = "demo.instance-b6ff3a54-1111-2222-3333-444455556666._app.1";
    const std::string first =
        R"({"task":")" + task +
        R"(","time":"2026-01-01T00:00:00.000Z","stream":"stdout","line":"a"})";
    const std::string second =
        R"({"task":")" + task +
        R"(","time":"2026-01-01T00:00:01.000Z","stream":"stderr","line":"b\n"})";
    const auto both = first + "\n" + second + "\n";
    // Pieces break anywhere, also inside a record.
    const auto whole = [&both](const http::Request&) {
        return streamed("application/x-ndjson", {both.substr(0, 10), both.substr(10)});
    };
    master.answer("GET /methos/v1/apps/demo", 200, demo_document);
    master.answer("GET /methos/v1/logs/demo", whole);
    master.answer("GET /methos/v1/logs/" + task, whole);
    master.answer("GET /v2/tasks", 200, R"({"tasks":[{"id":")" + task + R"("}]})");

    const auto app = run_methos(url, {"logs", "demo"});
    CHECK(app.code == 0);
    CHECK(app.out == "b6ff3a54 | a\n");
    CHECK(app.err == "b6ff3a54 | b\n");
    const auto one = run_methos(url, {"logs", task, "--timestamps", "--tail", "5"});
    CHECK(one.out == "2026-01-01T00:00:00.000Z a\n");
    CHECK(one.err == "2026-01-01T00:00:01.000Z b\n");
    CHECK(contains(master.requests().back(), "?tail=5&timestamps=true"));
    CHECK(run_methos(url, {"logs", "b6ff3a54"}).out == "a\n");
    CHECK(run_methos(url, {"logs", "demo", "-o", "json"}).out == both);
    CHECK(run_methos(url, {"logs", "demo", "-o", "yaml"}).code == 2);

    SECTION("a stream that breaks off is no end") {
        master.answer("GET /methos/v1/logs/demo", [&both](const http::Request&) {
            return streamed("application/x-ndjson", {both}, Ending::Broken);
        });
        const auto cut = run_methos(url, {"logs", "-f", "demo"});
        CHECK(cut.code == 5);
        CHECK(cut.out == "b6ff3a54 | a\n");
        CHECK(contains(cut.err, "broke off"));
        CHECK(contains(cut.err, "methos logs -f --since 2026-01-01T00:00:01.000Z /demo"));
    }
    SECTION("a record that is none is told") {
        master.answer("GET /methos/v1/logs/demo", [](const http::Request&) {
            return streamed("application/x-ndjson", {"\n<html>\x1b[2J\n"});
        });
        const auto bad = run_methos(url, {"logs", "demo"});
        CHECK(bad.code == 1);
        CHECK(contains(bad.err, "not JSON: <html> [2J"));
    }
    SECTION("plain text passes through") {
        master.answer("GET /methos/v1/logs/demo", [](const http::Request&) {
            return streamed("text/plain", {"{\"x\":1}\nplain"});
        });
        CHECK(run_methos(url, {"logs", "demo"}).out == "{\"x\":1}\nplain");
    }
    SECTION("a refusal is the master's own words") {
        master.answer("GET /methos/v1/logs/demo", 404, R"({"error":{"message":"no container"}})");
        const auto none = run_methos(url, {"logs", "demo"});
        CHECK(none.code == 4);
        CHECK(contains(none.err, "no container"));
    }
}

TEST_CASE("an image is fetched by hosts, one line for each", "[cli]") {
    ScriptedMaster master;
    const auto url = "http://" + master.address();
    master.answer("GET /methos/v1/hosts", 200, R"({"hosts":[{"id":"2e00aaaa-x","hostname":"n1"},
        {"id":"3f00bbbb-y","hostname":"n2"}]})");
    const std::string ready =
        R"({"host":"2e00aaaa-x","hostname":"n1","state":"PULLING"})"
        "\n"
        R"({"host":"2e00aaaa-x","hostname":"n1","state":"PULLING","message":"pulling","progress":{"percent":42}})"
        "\n"
        R"({"host":"2e00aaaa-x","hostname":"n1","state":"READY","imageId":"sha256:0123456789abcdef"})"
        "\n";
    const std::string failed =
        R"({"host":"3f00bbbb-y","hostname":"n2","state":"FAILED","error":{"code":"not_found","message":"no such image"}})"
        "\n";
    const auto say = [&master](std::vector<std::string> pieces, Ending ending = Ending::Whole) {
        master.answer("POST /methos/v1/images/pull", [pieces, ending](const http::Request&) {
            return streamed("application/x-ndjson", pieces, ending);
        });
    };
    const std::vector<std::string> pull_n1 = {"images", "pull", "demo:1", "--hosts", "n1"};

    SECTION("all of them have it") {
        say({ready.substr(0, 10), ready.substr(10)});
        const auto run = run_methos(url, pull_n1);
        CHECK(run.code == 0);
        CHECK(run.out == "n1  2e00aaaa  ready  sha256:0123456789ab\n");
        CHECK(contains(run.err, "0 hosts ready, 1 pulling (42 %)"));
        CHECK(contains(
            master.changes().back(),
            R"(POST /methos/v1/images/pull {"force":false,"hosts":["2e00aaaa-x"],"image":"demo:1"})"));
    }
    SECTION("one cannot") {
        say({ready + failed});
        const auto run =
            run_methos(url, {"images", "pull", "--hosts", "n1,3f00", "--force", "demo:1"});
        CHECK(run.code == 1);
        CHECK(contains(run.out, "n2  3f00bbbb  failed  no such image\n"));
        CHECK(contains(master.changes().back(),
                       R"({"force":true,"hosts":["2e00aaaa-x","3f00bbbb-y"],"image":"demo:1"})"));
    }
    SECTION("records pass as they are") {
        say({ready});
        const auto run =
            run_methos(url, {"images", "pull", "demo:1", "--hosts", "all", "-o", "json"});
        CHECK(run.code == 0);
        CHECK(run.out == ready);
        CHECK(contains(master.changes().back(), R"("hosts":"all")"));
    }
    SECTION("an answer that ends too soon is no success") {
        say({ready.substr(0, ready.find('\n') + 1)});
        const auto run = run_methos(url, pull_n1);
        CHECK(run.code == 1);
        CHECK(contains(run.err, "ended before host 2e00aaaa-x was done"));
    }
    SECTION("an answer that breaks off is none either") {
        say({ready}, Ending::Broken);
        CHECK(run_methos(url, pull_n1).code == 5);
    }
    SECTION("no hosts at all") {
        say({});
        const auto run = run_methos(url, {"images", "pull", "demo:1", "--hosts", "all"});
        CHECK(run.code == 0);
        CHECK(contains(run.err, "No host has joined yet"));
    }
    SECTION("a host that there is not is not asked") {
        const auto run = run_methos(url, {"images", "pull", "demo:1", "--hosts", "n3"});
        CHECK(run.code == 4);
        CHECK(master.changes().empty());
    }
    SECTION("a form that it has not") {
        CHECK(run_methos(url, {"images", "pull", "demo:1", "--hosts", "n1", "-o", "yaml"}).code ==
              2);
        CHECK(run_methos(url, {"images", "pull", "demo:1"}).code == 2);
    }
}

TEST_CASE("a master's refusal is told in its words, with the code of the contract", "[cli]") {
    struct Row {
        int status;
        std::string body;
        int code;
        std::string words;
    };

    const auto row = GENERATE(values<Row>({
        {400, R"({"message":"Invalid JSON","details":"at 3"})", 2, "Invalid JSON: at 3"},
        {403, R"({"message":"no"})", 5, "not allowed: no"},
        {404, R"({"error":{"code":"not_found","message":"gone"}})", 4, "gone"},
        {409, R"({"message":"locked","deployments":[]})", 1, "locked"},
        {422,
         R"({"message":"Object is not valid","details":[{"path":"/cpus","errors":["is less than 0"]}]})",
         2,
         "Object is not valid: /cpus is less than 0"},
        {500, "Traceback\nmore", 1, "the master failed (500): Traceback"},
        {501, R"({"error":{"message":"later"}})", 2, "later"},
        {503, R"({"message":"no leader"})", 5, "no leader"},
        {302, "", 1, "answered 302"},
        {418, "\x1b[31mteapot", 2, " [31mteapot"},
    }));
    ScriptedMaster master;
    master.answer("GET /v2/apps", row.status, row.body);
    const auto run = run_methos("http://" + master.address(), {"ls"});
    INFO(row.status << " " << run.err);
    CHECK(run.code == row.code);
    CHECK(contains(run.err, row.words));
    CHECK(contains(run.err, "cannot list the apps"));
    CHECK(run.out.empty());
}

TEST_CASE("a wrong token and none are told apart", "[cli]") {
    ScriptedMaster master;
    CliOptions options;
    options.environment["METHOS_TOKEN"] = "wrong";
    const auto wrong = run_methos("http://" + master.address(), {"ls"}, options);
    CHECK(wrong.code == 5);
    CHECK(contains(wrong.err, "the token of METHOS_TOKEN was sent"));
    options.environment["METHOS_TOKEN"] = "";
    const auto none = run_methos("http://" + master.address(), {"ls"}, options);
    CHECK(none.code == 5);
    CHECK(contains(none.err, "no token was sent: set METHOS_TOKEN"));
}

TEST_CASE("documents of the wrong kind are no crash", "[cli]") {
    const std::string body =
        GENERATE("", "null", "3", "[]", "{\"apps\":", "{\"apps\":{}}", "<html>", "{\"apps\":[3]}");
    ScriptedMaster master;
    master.answer("GET /v2/apps", 200, body);
    master.answer("GET /methos/v1/hosts", 200, body);
    master.answer("GET /methos/v1/apps/demo", 200, body);
    master.answer("GET /methos/v1/why/demo", 200, body);
    for (const auto& verb : std::vector<std::vector<std::string>>{
             {"ls"}, {"hosts"}, {"status", "demo"}, {"why", "demo"}}) {
        const auto run = run_methos("http://" + master.address(), verb);
        INFO(verb.front() << " of " << body << ": " << run.err);
        CHECK(run.code == 1);
        CHECK(contains(run.err, "methos: "));
    }
}

TEST_CASE("what is no master, or falls silent, is told with the address", "[cli]") {
    struct Row {
        std::string bytes;
        bool hold;
        int code;
        std::string words;
    };

    const auto row = GENERATE(values<Row>({
        {"", true, 5, "does not answer"},
        {"", false, 5, "no master answers"},
        {"SSH-2.0-OpenSSH_9.2\r\n", false, 1, "does not answer as a master does"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"apps\"", false, 1, "as a master does"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"apps\"", true, 5, "does not answer"},
    }));
    const RawMaster master(row.bytes, row.hold);
    CliOptions options;
    options.answer_limit = 300ms;
    const auto run = run_methos(master.url(), {"ls"}, options);
    INFO(row.bytes << ": " << run.err);
    CHECK(run.code == row.code);
    CHECK(contains(run.err, row.words));
    CHECK(contains(run.err, master.url()));
}

TEST_CASE("nobody at the address is told with what to set", "[cli]") {
    const auto run = run_methos("http://127.0.0.1:1", {"ls"});
    CHECK(run.code == 5);
    CHECK(contains(run.err, "no master answers at http://127.0.0.1:1"));
    CHECK(contains(run.err, "METHOS_URL"));
}

TEST_CASE("wrong usage ends with 2 and asks nobody", "[cli]") {
    ScriptedMaster master;
    const std::vector<std::string> arguments =
        GENERATE(values<std::vector<std::string>>({{},
                                                   {"fly"},
                                                   {"ls", "--colour"},
                                                   {"scale", "demo"},
                                                   {"scale", "demo", "many"},
                                                   {"scale", "demo", "-1"},
                                                   {"run"},
                                                   {"run", "nginx", "extra"},
                                                   {"run", "nginx", "-n", "1.5"},
                                                   {"run", "nginx", "--net", "overlay"},
                                                   {"run", "nginx", "--cpus", "nan"},
                                                   {"run", "nginx", "--mem", "NaN"},
                                                   {"run", "nginx", "--cpus", "inf"},
                                                   {"run", "nginx", "--cpus", "0"},
                                                   {"run", "../etc"},
                                                   {"status", "/"},
                                                   {"why", "//"},
                                                   {"rm", "/"},
                                                   {"scale", "/", "1"},
                                                   {"logs", "/"},
                                                   {"scale", "demo", "1000001"},
                                                   {"dev", "--docker", "tcp://10.0.0.1:2375"},
                                                   {"run", "nginx", "--rm"},
                                                   {"run", "nginx", "--timeout", "5"},
                                                   {"ls", "--", "x"},
                                                   {"ls", "-o", "xml"},
                                                   {"logs", "demo", "--tail", "-1"},
                                                   {"logs", "demo", "--since", "yesterday"},
                                                   {"deploy", "/nonexistent/app.json"}}));
    const auto run = run_methos("http://" + master.address(), arguments);
    INFO(run.err);
    CHECK(run.code == 2);
    CHECK_FALSE(run.err.empty());
    CHECK(run.out.empty());
    CHECK(master.requests().empty());
}

TEST_CASE("help and version are no errors", "[cli]") {
    CHECK(contains(run_methos("http://127.0.0.1:1", {"--help"}).out, "METHOS_URL"));
    CHECK(run_methos("http://127.0.0.1:1", {"run", "--help"}).code == 0);
    CHECK(contains(run_methos("http://127.0.0.1:1", {"--version"}).out, "methos 0."));
}
