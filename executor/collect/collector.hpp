// Looks after Docker's disk on this host: measures it, says when it is too full for new tasks
// (DiskGauge decides), and removes images that this executor has brought and nobody uses any more
// (ImageKeeper decides), by the names it gave them and never by force. Touches nothing else: no
// containers, no volumes, no images of others. Owned by the executor. Loop thread only; measuring
// and the ledger block for microseconds.
#pragma once

#include "core/runtime/async.hpp"
#include "executor/collect/disk_gauge.hpp"
#include "executor/collect/image_keeper.hpp"
#include "executor/collect/image_ledger.hpp"
#include "executor/docker/engine.hpp"

#include <functional>
#include <string>
#include <vector>

namespace methos::executor {

struct CollectorOptions {
    DiskWatermark watermark;
    KeeperOptions images;
    std::string data_dir;
    /// The space of the file system that holds a folder.
    std::function<DiskSpace(const std::string& folder)> measure;
    Duration look_interval = std::chrono::seconds(30);
    Duration collect_interval = std::chrono::minutes(10); ///< while the disk has room
};

struct CollectorHandlers {
    std::function<std::string()> docker_root; ///< empty while it is not known
    std::function<void()> trouble_changed;    ///< see trouble()
};

class Collector {
  public:
    /// `engine` must outlive it.
    Collector(docker::Engine& engine, CollectorOptions options, CollectorHandlers handlers);

    /// Until cancelled.
    [[nodiscard]] awaitable<> run();
    /// Measures the disk now, because something has happened that it may be the cause of.
    void look();

    /// Why this host takes no new tasks; empty: it takes them.
    [[nodiscard]] const std::string& trouble() const { return gauge_.trouble(); }

    /// An image was pulled and given names; `is_new`: its bytes were not on this host before.
    void image_brought(const std::string& id, const std::vector<std::string>& names, bool is_new);
    /// A task has asked for an image.
    void image_used(const std::string& id);

  private:
    [[nodiscard]] static KeptImages load(const ImageLedger& ledger);
    void save();
    [[nodiscard]] awaitable<> collect();
    [[nodiscard]] awaitable<> remove(std::string id);
    [[nodiscard]] awaitable<bool> remove_names(std::string id, docker::ImageInfo image);

    docker::Engine& engine_;
    CollectorOptions options_;
    CollectorHandlers handlers_;
    SystemClock clock_;
    DiskGauge gauge_;
    ImageLedger ledger_;
    ImageKeeper keeper_;
};

} // namespace methos::executor
