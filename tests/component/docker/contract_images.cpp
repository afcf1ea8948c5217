// What an Engine promises of itself and of its images: found, tagged, pulled with progress,
// imported, removed, and why not.
#include "tests/component/docker/bench.hpp"
#include "tests/component/docker/contract.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace methos::test::contract {

namespace {

using namespace docker;

awaitable<void> knows_its_version(Engine& engine) {
    const auto version = co_await engine.negotiate();
    CHECK(version.api >= ApiVersion{1, 41});
    CHECK(version.api <= version.api_max);
    CHECK_FALSE(version.engine.empty());
    CHECK(version.os == "linux");
    co_await engine.ping();
    const auto info = co_await engine.info();
    CHECK(info.cpus > 0);
    CHECK(info.memory_bytes > 0);
    CHECK_FALSE(info.root_dir.empty());
    CHECK(engine.version().has_value()); // no answer looked like another Engine's
}

awaitable<void> images_are_inspected_tagged_and_removed(Engine& engine) {
    const auto image = (co_await engine.inspect_image(contract_image)).value();
    CHECK(image.id.rfind("sha256:", 0) == 0);
    CHECK(image.command == std::vector<std::string>{"/bin/sh"});
    CHECK(std::count(image.repo_tags.begin(), image.repo_tags.end(), contract_image) == 1);

    const auto missing = co_await engine.inspect_image("methos-test/no-such-image:1");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == EngineFault::NoSuchImage);

    (co_await engine.tag_image(image.id, "methos-test/alias", "2")).value();
    const auto alias = (co_await engine.inspect_image("methos-test/alias:2")).value();
    CHECK(alias.id == image.id);
    const auto first = co_await engine.remove_image("methos-test/alias:2", false);
    CHECK(first.value() == ImageRemoveOutcome::Removed);
    const auto second = co_await engine.remove_image("methos-test/alias:2", false);
    CHECK(second.value() == ImageRemoveOutcome::NoSuchImage);
    const auto still = co_await engine.inspect_image(image.id);
    CHECK(still.has_value());
}

awaitable<void> an_image_is_pulled_with_progress(Engine& engine) {
    PullRequest request;
    request.image = pull_image();
    request.tag = "1";
    const auto wanted = request.reference();
    std::vector<PullProgress> seen;
    PullObserver observer = [&seen](const PullProgress& progress) { seen.push_back(progress); };
    auto pulled = (co_await engine.pull(request, observer)).value();
    REQUIRE_FALSE(seen.empty());
    CHECK(seen.back().layers_total == 2);
    CHECK(seen.back().layers_done == 2);
    CHECK(seen.back().bytes_done == seen.back().bytes_total);
    CHECK(seen.back().bytes_total > 0);
    CHECK(pulled.digest.rfind("sha256:", 0) == 0);
    const auto image = (co_await engine.inspect_image(wanted)).value();
    CHECK(image.id == pulled.image.id);
    (co_await engine.remove_image(wanted, false)).value();

    request.tag = "no-such-tag";
    const auto missing = co_await engine.pull(request, observer);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().fault == EngineFault::ImageUnknown);
}

/// An empty archive: two blocks of nothing.
class EmptyTar final : public http::BodyReader {
  public:
    awaitable<std::optional<std::string>> read() override {
        if (std::exchange(done_, true)) {
            co_return std::nullopt;
        }
        co_return std::string(1024, '\0');
    }

  private:
    bool done_ = false;
};

awaitable<void> an_archive_becomes_an_image(Engine& engine) {
    std::shared_ptr<http::BodyReader> tar = std::make_shared<EmptyTar>();
    std::vector<std::string> changes{R"(CMD ["/hello"])"};
    const auto id = (co_await engine.import_image(tar, "methos-test/empty", "1", changes)).value();
    const auto image = (co_await engine.inspect_image("methos-test/empty:1")).value();
    CHECK(image.id == id);
    CHECK(image.command == std::vector<std::string>{"/hello"});
    (co_await engine.remove_image("methos-test/empty:1", false)).value();
}

awaitable<void> a_registry_that_is_away_is_worth_another_try(Engine& engine) {
    PullRequest request;
    request.image = "127.0.0.1:1/nothing";
    request.tag = "1";
    const PullObserver nobody;
    const auto pulled = co_await engine.pull(request, nobody);
    REQUIRE_FALSE(pulled);
    CHECK(pulled.error().fault == EngineFault::Retryable);
}

} // namespace

std::vector<Clause> image_clauses() {
    return {
        {"an Engine tells its version", knows_its_version},
        {"images are inspected, tagged and removed", images_are_inspected_tagged_and_removed},
        {"an image is pulled with progress", an_image_is_pulled_with_progress},
        {"an archive becomes an image", an_archive_becomes_an_image},
        {"a registry that is away is worth another try",
         a_registry_that_is_away_is_worth_another_try},
    };
}

} // namespace methos::test::contract
