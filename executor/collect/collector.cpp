#include "executor/collect/collector.hpp"

#include "core/observe/log.hpp"

#include <set>
#include <utility>

namespace methos::executor {

Collector::Collector(docker::Engine& engine, CollectorOptions options, CollectorHandlers handlers)
    : engine_(engine), options_(std::move(options)), handlers_(std::move(handlers)),
      gauge_(options_.watermark), ledger_(options_.data_dir),
      keeper_(options_.images, load(ledger_)) {}

KeptImages Collector::load(const ImageLedger& ledger) {
    auto known = ledger.load();
    if (!known) {
        log::warning("which images this executor has brought is not known; they stay",
                     {{"why", known.error().message}});
        return {};
    }
    return *std::move(known);
}

awaitable<> Collector::run() {
    auto next_collection = std::chrono::steady_clock::now();
    for (;;) {
        look();
        save(); // what was used meanwhile: little is forgotten by a kill
        const auto now = std::chrono::steady_clock::now();
        if (keeper_.removes() && (now >= next_collection || gauge_.wants_room())) {
            try {
                co_await collect();
                next_collection = now + options_.collect_interval;
            } catch (const std::exception&) {
                const auto error = error_of_current_exception();
                if (error.code == Code::Cancelled) {
                    throw;
                }
                log::limited("collect",
                             "unused images could not be looked for; trying again",
                             {{"why", error.to_string()}});
            }
        }
        co_await sleep_for(options_.look_interval);
    }
}

// ---- the disk ------------------------------------------------------------------------------

void Collector::look() {
    const auto root = handlers_.docker_root();
    if (root.empty() || !gauge_.saw(options_.measure(root), root)) {
        return;
    }
    if (trouble().empty()) {
        log::info("Docker's disk has room again; new tasks are taken");
    } else {
        log::warning("no new tasks are taken", {{"why", trouble()}});
    }
    handlers_.trouble_changed();
}

// ---- images --------------------------------------------------------------------------------

void Collector::image_brought(const std::string& id,
                              const std::vector<std::string>& names,
                              bool is_new) {
    keeper_.brought(id, names, is_new, clock_.now().wall);
    save();
}

void Collector::image_used(const std::string& id) {
    keeper_.used(id, clock_.now().wall);
}

void Collector::save() {
    const auto saved = ledger_.save(keeper_.images());
    if (!saved) {
        log::limited("image ledger",
                     "which images this executor has brought could not be noted",
                     {{"why", saved.error().message}});
    }
}

/// One round: what containers use, then what nobody has used for long enough.
awaitable<> Collector::collect() {
    if (keeper_.images().empty()) {
        co_return;
    }
    docker::ListQuery everybodys;
    const auto containers = co_await engine_.list_containers(std::move(everybodys));
    std::set<std::string> in_use;
    for (const auto& container : containers) {
        in_use.insert(container.image_id);
    }
    keeper_.in_use(in_use, clock_.now().wall);
    const auto candidates = keeper_.removable(gauge_.wants_room(), clock_.now().wall);
    for (const auto& id : candidates) {
        // Meanwhile a task may have asked for it, or there may be room again.
        if (keeper_.may_remove(id, gauge_.wants_room(), clock_.now().wall)) {
            co_await remove(id);
            look();
        }
    }
    save();
}

awaitable<> Collector::remove(std::string id) {
    auto image = co_await engine_.inspect_image(id);
    if (!image && image.error().fault != docker::EngineFault::NoSuchImage) {
        throw Failure(image.error().to_error());
    }
    if (!image) {
        keeper_.forget(id);
        co_return;
    }
    auto names = image->repo_tags;
    names.insert(names.end(), image->repo_digests.begin(), image->repo_digests.end());
    if (!keeper_.is_ours_alone(id, names)) {
        log::info("an image that was pulled here has got other names; it stays", {{"image", id}});
        keeper_.forget(id);
        co_return;
    }
    std::string shown = id;
    if (!image->repo_tags.empty()) {
        shown = image->repo_tags.front();
    }
    const bool removed = co_await remove_names(id, *std::move(image));
    if (removed) {
        keeper_.forget(id);
        log::info("removed an image that nobody uses", {{"image", shown}, {"id", id}});
    } else {
        keeper_.used(id, clock_.now().wall);
    }
}

/// Tags first: with the last one Docker drops the image, and the digests it was pulled under.
/// Without any name it goes by its id. False when it stays for now.
awaitable<bool> Collector::remove_names(std::string id, docker::ImageInfo image) {
    auto names = std::move(image.repo_tags);
    names.insert(names.end(), image.repo_digests.begin(), image.repo_digests.end());
    if (names.empty()) {
        names.push_back(std::move(id));
    }
    for (const auto& name : names) {
        const auto outcome = co_await engine_.remove_image(name, false);
        if (!outcome) {
            log::limited("image removal",
                         "an image that nobody uses could not be removed; later again",
                         {{"image", name}, {"why", outcome.error().message}});
            co_return false;
        }
        if (*outcome == docker::ImageRemoveOutcome::InUse) {
            co_return false;
        }
    }
    co_return true;
}

} // namespace methos::executor
