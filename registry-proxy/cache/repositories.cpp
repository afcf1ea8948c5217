#include "registry-proxy/cache/repositories.hpp"

#include "core/observe/log.hpp"
#include "registry-proxy/cache/files.hpp"
#include "registry-proxy/upstream/names.hpp"

namespace methos::proxy {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t fact_bytes_max = 1024;

std::string without_line_end(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

void save(const fs::path& file, const std::string& fact) {
    try {
        write_file(file, fact + "\n", false);
    } catch (const Failure& failure) {
        log::limited(
            "facts", "cannot write to the cache", {{"error", failure.error().to_string()}});
    }
}

/// What cannot be removed comes back with the next start, and is said.
void forget(const fs::path& file) {
    std::error_code error;
    fs::remove(file, error);
    if (error) {
        log::limited("facts",
                     "cannot remove from the cache",
                     {{"file", file.string()}, {"error", error.message()}});
    }
}

} // namespace

Repositories::Repositories(fs::path folder) : folder_(std::move(folder)) {
    try {
        fs::create_directories(folder_);
        load();
    } catch (const fs::filesystem_error& error) {
        throw Failure(Code::Internal,
                      "cannot use the cache folder " + folder_.string() + ": " + error.what());
    }
}

void Repositories::load() {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
        if (entry.is_regular_file()) {
            load_fact(entry.path());
        }
    }
}

void Repositories::load_fact(const fs::path& file) {
    const auto kind = file.parent_path().filename().string();
    const auto where = file.parent_path().parent_path().lexically_relative(folder_);
    const auto leaf = file.filename().string();
    if (leaf.front() == '.' || where.empty() || where.begin() == where.end()) {
        std::error_code ignored; // half-written by a crash; the next start tries again
        fs::remove(file, ignored);
        return;
    }
    RepositoryName repository;
    repository.host = host_of_component(where.begin()->string());
    for (auto part = std::next(where.begin()); part != where.end(); ++part) {
        repository.name += (repository.name.empty() ? "" : "/") + part->string();
    }
    const auto content = without_line_end(read_file(file, fact_bytes_max).value_or(""));
    if (kind == "_manifests") {
        const auto digest = Digest::from_hex(leaf);
        if (digest && !content.empty()) {
            repositories_[repository].manifests.insert_or_assign(*digest, content);
            return;
        }
    } else if (kind == "_tags") {
        const auto digest = Digest::parse(content);
        if (digest) {
            repositories_[repository].tags.insert_or_assign(leaf,
                                                            Tag{*digest, MonoTime::min(), {}});
            return;
        }
    }
    log::warning("ignoring a file of the cache that says nothing readable",
                 {{"file", file.string()}});
}

fs::path Repositories::folder_of(const RepositoryName& repository) const {
    return folder_ / component_of_host(repository.host) / repository.name;
}

const Repositories::Repository* Repositories::find(const RepositoryName& repository) const {
    const auto found = repositories_.find(repository);
    return found == repositories_.end() ? nullptr : &found->second;
}

std::optional<std::string> Repositories::find_media_type(const RepositoryName& repository,
                                                         const Digest& digest) const {
    const auto* known = find(repository);
    if (known == nullptr) {
        return std::nullopt;
    }
    const auto found = known->manifests.find(digest);
    if (found == known->manifests.end()) {
        return std::nullopt;
    }
    return found->second;
}

std::optional<Tag> Repositories::find_tag(const RepositoryName& repository,
                                          const std::string& tag) const {
    const auto* known = find(repository);
    if (known == nullptr) {
        return std::nullopt;
    }
    const auto found = known->tags.find(tag);
    if (found == known->tags.end()) {
        return std::nullopt;
    }
    return found->second;
}

std::vector<std::string> Repositories::list_tags(const RepositoryName& repository) const {
    std::vector<std::string> tags;
    if (const auto* known = find(repository)) {
        for (const auto& [tag, value] : known->tags) {
            tags.push_back(tag);
        }
    }
    return tags;
}

std::vector<Digest> Repositories::list_manifests(const RepositoryName& repository) const {
    std::vector<Digest> manifests;
    if (const auto* known = find(repository)) {
        for (const auto& [digest, media_type] : known->manifests) {
            manifests.push_back(digest);
        }
    }
    return manifests;
}

bool Repositories::contains(const RepositoryName& repository) const {
    const auto* known = find(repository);
    return known != nullptr && !known->manifests.empty();
}

std::vector<std::string> Repositories::list_names(const std::string& host) const {
    std::vector<std::string> names;
    for (auto it = repositories_.lower_bound(RepositoryName{host, {}});
         it != repositories_.end() && it->first.host == host;
         ++it) {
        if (!it->second.manifests.empty()) {
            names.push_back(it->first.name);
        }
    }
    return names;
}

void Repositories::put_manifest(const RepositoryName& repository,
                                const Digest& digest,
                                const std::string& media_type) {
    if (find_media_type(repository, digest) == media_type) {
        return;
    }
    save(folder_of(repository) / "_manifests" / digest.hex(), media_type);
    repositories_[repository].manifests.insert_or_assign(digest, media_type);
}

void Repositories::put_tag(const RepositoryName& repository,
                           const std::string& tag,
                           const Tag& value) {
    const auto before = find_tag(repository, tag);
    if (!before || before->digest != value.digest) {
        save(folder_of(repository) / "_tags" / tag, value.digest.to_string());
    }
    repositories_[repository].tags.insert_or_assign(tag, value);
}

awaitable<> Repositories::put_hosted(asio::thread_pool& pool,
                                     RepositoryName repository,
                                     Digest digest,
                                     std::string media_type,
                                     std::optional<std::string> tag) {
    std::function<void()> work = [folder = folder_of(repository), digest, media_type, tag] {
        write_file(folder / "_manifests" / digest.hex(), media_type + "\n", true);
        if (tag) {
            write_file(folder / "_tags" / *tag, digest.to_string() + "\n", true);
        }
    };
    co_await run_blocking(pool, std::move(work));
    auto& known = repositories_[repository];
    known.manifests.insert_or_assign(digest, std::move(media_type));
    if (tag) {
        known.tags.insert_or_assign(*tag, Tag{digest, MonoTime::max(), {}});
    }
}

bool Repositories::remove_tag(const RepositoryName& repository, const std::string& tag) {
    const auto found = repositories_.find(repository);
    if (found == repositories_.end() || found->second.tags.erase(tag) == 0) {
        return false;
    }
    forget(folder_of(repository) / "_tags" / tag);
    return true;
}

bool Repositories::remove_manifest(const RepositoryName& repository, const Digest& digest) {
    const auto found = repositories_.find(repository);
    if (found == repositories_.end() || !found->second.manifests.contains(digest)) {
        return false;
    }
    for (const auto& tag : list_tags(repository)) {
        if (found->second.tags.at(tag).digest == digest) {
            remove_tag(repository, tag);
        }
    }
    forget(folder_of(repository) / "_manifests" / digest.hex());
    found->second.manifests.erase(digest);
    return true;
}

void Repositories::forget_manifest(const Digest& digest) {
    for (const auto& [repository, known] : repositories_) {
        (void)remove_manifest(repository, digest);
    }
}

} // namespace methos::proxy
