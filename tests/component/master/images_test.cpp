// POST /methos/v1/images/pull: hosts played by hand are asked to fetch an image, and what each says
// arrives as records; hosts that cannot be asked, calls that are none, and callers who hang up.
#include "tests/component/master/master_lab.hpp"
#include "tests/component/master/subscriber.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace methos;
using methos::test::FakeExecutor;
using methos::test::MasterLab;
using methos::test::Subscriber;
using nlohmann::json;

namespace {

/// A host with both of its connections.
struct FakeHost {
    explicit FakeHost(MasterLab& lab) : control(lab.executor()), streams(lab.executor()) {}

    awaitable<> join(MasterLab& lab, std::string hostname, bool pulls_images = true) {
        co_await control->join(hostname);
        co_await streams->join_stream(*control, hostname, pulls_images);
        std::function<bool(const json&)> up = [hostname](const json& document) {
            for (const auto& host : document.at("hosts")) {
                if (host.at("hostname") == hostname) {
                    return host.at("state") == "UP";
                }
            }
            return false;
        };
        (void)co_await lab.get_until("/methos/v1/hosts", std::move(up));
    }

    void say(std::uint64_t stream, const wire::PullReport& report) {
        auto frame = wire::make_frame(streams->mark);
        frame.mutable_stream_data()->set_stream(stream);
        *frame.mutable_stream_data()->mutable_pull() = report;
        streams->send(frame);
    }

    void end(std::uint64_t stream, const std::string& code, const std::string& error) {
        auto frame = wire::make_frame(streams->mark);
        frame.mutable_stream_end()->set_stream(stream);
        frame.mutable_stream_end()->set_code(code);
        frame.mutable_stream_end()->set_error(error);
        streams->send(frame);
    }

    std::unique_ptr<FakeExecutor> control;
    std::unique_ptr<FakeExecutor> streams;
};

/// The answer's records, one after another.
struct Records {
    static awaitable<std::shared_ptr<Records>> open(MasterLab& lab, std::string body) {
        auto records = std::make_shared<Records>();
        records->answer = co_await Subscriber::open(lab.url, "/methos/v1/images/pull", body);
        REQUIRE(records->answer->status() == 200);
        REQUIRE(records->answer->header("Content-Type") == "application/x-ndjson");
        co_return records;
    }

    /// The next one of this host; null at the end.
    awaitable<json> next(std::string hostname) {
        for (;;) {
            for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
                auto record = json::parse(text.substr(0, end));
                text.erase(0, end + 1);
                if (record.at("hostname") == hostname) {
                    co_return record;
                }
            }
            const auto chunk = co_await answer->chunk();
            if (!chunk) {
                co_return json();
            }
            text += *chunk;
        }
    }

    std::shared_ptr<Subscriber> answer;
    std::string text;
};

awaitable<> two_hosts(MasterLab& lab) {
    FakeHost one(lab);
    FakeHost two(lab);
    co_await one.join(lab, "one");
    co_await two.join(lab, "two");
    const auto records =
        co_await Records::open(lab, R"({"image":"demo:1","hosts":"all","force":true})");
    const auto first = co_await one.streams->next(wire::Frame::kStreamOpen);
    REQUIRE(first.stream_open().pull_image() == "demo:1");
    REQUIRE(first.stream_open().force_pull());
    const auto begun = co_await records->next("one");
    REQUIRE(begun.at("state") == "PULLING");
    REQUIRE(begun.at("host") == "id-one");

    const auto stream = first.stream_open().stream();
    wire::PullReport report;
    report.set_message("pulling demo:1: 1.0/4.0 MB, 1/3 layers");
    const ImageProgress figures{1'000'000, 4'000'000, 25, 1, 3};
    wire::to_wire(figures, *report.mutable_progress());
    one.say(stream, report);
    const auto pulling = co_await records->next("one");
    REQUIRE(pulling.at("state") == "PULLING");
    REQUIRE(pulling.at("message") == report.message());
    REQUIRE(pulling.at("progress").at("percent") == 25);
    REQUIRE(pulling.at("progress").at("bytesTotal") == 4'000'000);

    wire::PullReport last;
    last.set_image_id("sha256:abc");
    one.say(stream, last);
    one.end(stream, "", "");
    const auto ready = co_await records->next("one");
    REQUIRE(ready.at("state") == "READY");
    REQUIRE(ready.at("imageId") == "sha256:abc");

    const auto second = co_await two.streams->next(wire::Frame::kStreamOpen);
    two.end(second.stream_open().stream(), "not_found", "there is no such image");
    const auto failed = co_await records->next("two");
    REQUIRE(failed.at("state") == "FAILED");
    REQUIRE(failed.at("error").at("code") == "not_found");
    REQUIRE(failed.at("error").at("message") == "there is no such image");
    const auto over = co_await records->next("two");
    REQUIRE(over.is_null());
}

/// Why that host does not fetch the image: all that is said of it.
awaitable<std::string> refusal_of(MasterLab& lab, std::string hostname) {
    const auto records =
        co_await Records::open(lab, R"({"image":"demo:1","hosts":["id-)" + hostname + R"("]})");
    const auto record = co_await records->next(hostname);
    REQUIRE(record.at("state") == "FAILED");
    const auto over = co_await records->next(hostname);
    REQUIRE(over.is_null());
    co_return record.at("error").at("message").get<std::string>();
}

awaitable<> hosts_that_cannot(MasterLab& lab) {
    FakeHost older(lab);
    FakeHost gone(lab);
    co_await older.join(lab, "older", false);
    co_await gone.join(lab, "gone");
    auto without_streams = lab.executor();
    co_await without_streams->join("bare");
    gone.control->close();
    std::function<bool(const json&)> is_away = [](const json& document) {
        std::size_t up = 0;
        for (const auto& host : document.at("hosts")) {
            up += host.at("state") == "UP" ? 1U : 0U;
        }
        return document.at("hosts").size() == 3 && up == 2;
    };
    (void)co_await lab.get_until("/methos/v1/hosts", std::move(is_away));

    const auto of_older = co_await refusal_of(lab, "older");
    REQUIRE_THAT(of_older, Catch::Matchers::Contains("older build"));
    const auto of_gone = co_await refusal_of(lab, "gone");
    REQUIRE_THAT(of_gone, Catch::Matchers::Contains("not connected (RESTARTING)"));
    const auto of_bare = co_await refusal_of(lab, "bare");
    REQUIRE_THAT(of_bare, Catch::Matchers::Contains("no stream connection"));
}

/// Both ways of losing each other in the middle of a pull.
awaitable<> cut_short(MasterLab& lab) {
    FakeHost host(lab);
    co_await host.join(lab, "one");
    const std::string body = R"({"image":"demo:1","hosts":["id-one","id-one"]})";
    auto records = co_await Records::open(lab, body);
    auto opened = co_await host.streams->next(wire::Frame::kStreamOpen);
    records->answer->close();
    const auto ended = co_await host.streams->next(wire::Frame::kStreamEnd);
    REQUIRE(ended.stream_end().stream() == opened.stream_open().stream());

    records = co_await Records::open(lab, body);
    opened = co_await host.streams->next(wire::Frame::kStreamOpen);
    const auto begun = co_await records->next("one");
    REQUIRE(begun.at("state") == "PULLING");
    host.streams->close();
    const auto lost = co_await records->next("one");
    REQUIRE(lost.at("state") == "FAILED");
    REQUIRE(lost.at("error").at("code") == "unavailable");
    const auto over = co_await records->next("one"); // a host named twice is asked once
    REQUIRE(over.is_null());
}

awaitable<> bad_calls(MasterLab& lab) {
    struct Call {
        const char* body;
        int status;
    };

    static constexpr Call calls[] = {
        {"", 400},
        {"[]", 400},
        {R"({"hosts":"all"})", 400},
        {R"({"image":7,"hosts":"all"})", 400},
        {R"({"image":"UPPER","hosts":"all"})", 400},
        {R"({"image":"demo:1"})", 400},
        {R"({"image":"demo:1","hosts":[]})", 400},
        {R"({"image":"demo:1","hosts":"some"})", 400},
        {R"({"image":"demo:1","hosts":[1]})", 400},
        {R"({"image":"demo:1","hosts":"all","force":1})", 400},
        {R"({"image":"demo:1","hosts":["nobody"]})", 404},
        {R"({"image":"demo:1","hosts":"all"})", 200}, // of no host there is nothing to say
    };
    for (const auto& call : calls) {
        CAPTURE(call.body);
        const std::string body = call.body;
        const auto answer = co_await lab.call("POST", "/methos/v1/images/pull", body);
        REQUIRE(answer.status == call.status);
    }
}

} // namespace

SCENARIO("hosts fetch an image when an operator says so, and tell how it goes") {
    MasterLab().run(two_hosts);
}

SCENARIO("hosts that cannot be asked for an image are told of with the reason") {
    MasterLab().run(hosts_that_cannot);
}

SCENARIO("a pull that was asked for ends when one of the two is gone") {
    MasterLab().run(cut_short);
}

SCENARIO("calls for an image that make no sense are refused") {
    MasterLab().run(bad_calls);
}
