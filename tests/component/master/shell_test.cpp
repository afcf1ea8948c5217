// What the shell promises about commits, on a store that the test holds back: what a commit lets go
// leaves in order and in slices, so that no commit, however large, keeps the loop from its other
// work; and several slices of decisions share one.
#include "master/shell/shell.hpp"

#include "core/base/units.hpp"
#include "master/frameworks/services/definition/app_parse.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scripted_store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

using namespace methos;

namespace {

constexpr std::size_t steps = 40;
constexpr std::size_t messages_per_step = 100;
constexpr std::size_t hosts = 10;
constexpr std::size_t instances = 1000;

/// A shell that runs until the test lets it stop.
struct ShellLab {
    ShellLab()
        : tasks(context.get_executor(),
                [this](const std::string& child, const Error& error) {
                    failure = child + ": " + error.to_string();
                }),
          shell(context.get_executor(), pool, clock, store, heart::Options(), metrics) {
        tasks.spawn("the shell", serve());
        run_until([this] { return started; });
    }

    ShellLab(const ShellLab&) = delete;
    ShellLab& operator=(const ShellLab&) = delete;

    ~ShellLab() {
        shell.stop();
        context.restart();
        context.run();
    }

    awaitable<> serve() {
        co_await shell.start();
        started = true;
        co_await shell.run();
    }

    void run_until(const std::function<bool()>& condition) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!condition()) {
            REQUIRE(failure.empty());
            REQUIRE(std::chrono::steady_clock::now() < limit);
            context.restart();
            context.run_one_for(std::chrono::milliseconds(100));
        }
    }

    /// Runs what is ready now.
    void turn() {
        context.restart();
        context.poll();
    }

    awaitable<> change() {
        std::function<void(heart::Heart&, cluster::Step&)> event =
            [](heart::Heart& heart, cluster::Step& step) { heart.probe(step); };
        co_await shell.change(std::move(event));
        answered = true;
    }

    asio::io_context context;
    asio::thread_pool pool{1};
    test::ScriptedStore store;
    SystemClock clock;
    Metrics metrics;
    TaskGroup tasks;
    master::Shell shell;
    std::string failure;
    bool started = false;
    bool answered = false;
};

} // namespace

SCENARIO("a large commit leaves in slices, and the loop's other work gets its turns between them") {
    ShellLab lab;
    std::vector<std::size_t> slices;
    std::vector<std::uint64_t> order;
    std::size_t slices_before_work = 0;
    bool answered_early = false;
    lab.shell.on_messages([&](const std::vector<cluster::Message>& messages) {
        if (slices.empty()) {
            asio::post(lab.context, [&] { slices_before_work = slices.size(); });
        }
        slices.push_back(messages.size());
        answered_early = answered_early || lab.answered;
        for (const auto& message : messages) {
            order.push_back(message.session.value);
        }
    });

    GIVEN("a commit that takes its time, and much that is decided meanwhile") {
        lab.store.hold();
        const auto before = lab.store.commits_begun();
        lab.shell.apply([](heart::Heart& heart, cluster::Step& step) { heart.probe(step); });
        lab.run_until([&] { return lab.store.commits_begun() > before; });
        for (std::size_t at = 0; at < steps; ++at) {
            lab.shell.apply([at](heart::Heart&, cluster::Step& step) {
                for (std::size_t i = 0; i < messages_per_step; ++i) {
                    step.send(SessionNumber(at * messages_per_step + i + 1),
                              cluster::SendWelcome());
                }
            });
        }
        lab.tasks.spawn("a change", lab.change());
        lab.turn();

        WHEN("the store goes on") {
            CHECK(slices.empty());
            lab.store.let_go();
            lab.run_until([&] { return lab.answered; });

            THEN("everything has left, in order and in slices, before the answer") {
                CHECK(order.size() == steps * messages_per_step);
                CHECK(std::is_sorted(order.begin(), order.end()));
                CHECK_FALSE(answered_early);
                CHECK(*std::max_element(slices.begin(), slices.end()) <= 1000);
                CHECK(slices_before_work == 1);
            }
        }
    }
}

SCENARIO("a large deployment takes fewer commits than slices of decisions") {
    ShellLab lab;
    std::size_t launches = 0;
    lab.shell.on_messages([&](const std::vector<cluster::Message>& messages) {
        for (const auto& message : messages) {
            launches += std::holds_alternative<cluster::SendLaunch>(message.body) ? 1U : 0U;
        }
    });
    GIVEN("hosts with room") {
        for (std::size_t at = 1; at <= hosts; ++at) {
            HostInfo info;
            info.id = HostId("host-" + std::to_string(at));
            info.hostname = info.id.value;
            info.address = "10.0.0.1";
            info.docker_up = true;
            info.resources.scalars = {100'000, 100'000 * bytes_per_mb, 100'000 * bytes_per_mb, 0};
            info.resources.ports.insert(PortRange{31000, 32000});
            lab.shell.apply([&](heart::Heart& heart, cluster::Step& step) {
                heart.cluster().host_joined(SessionNumber(at), info, "key", step);
                (void)heart.cluster().inventory(SessionNumber(at), {}, true, step);
            });
        }
        WHEN("an app of very many instances is made") {
            const auto app = services::parse_app(
                R"({"id":"/many","cpus":0.01,"mem":1,"cmd":"sleep 1000","instances":)" +
                std::to_string(instances) +
                R"(,"container":{"type":"DOCKER","docker":{"image":"busybox"}}})");
            REQUIRE(app);
            const auto before = lab.store.commits_begun();
            lab.shell.apply([&](heart::Heart& heart, cluster::Step& step) {
                (void)heart.services().put(
                    *app, services::Services::Existing::Refuse, RequestId("test"), step);
            });
            lab.run_until([&] { return launches == instances; });

            THEN("it is durable in a few commits") {
                constexpr auto slices = instances / state::batch_changes_max + 1;
                CHECK(lab.store.commits_begun() - before < slices / 2);
            }
        }
    }
}
