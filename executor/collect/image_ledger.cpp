#include "executor/collect/image_ledger.hpp"

#include "core/base/json.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace methos::executor {

namespace {

using nlohmann::json;

constexpr const char* file_name = "images.json";
constexpr std::uintmax_t file_bytes_max = 32 * 1024 * 1024;
constexpr int version = 1;

std::int64_t to_ms(WallTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Error system_error(const std::string& what, const std::string& path) {
    const int number = errno;
    return Error(Code::Internal,
                 what + " " + path + ": " + std::generic_category().message(number),
                 Cause{Cause::Kind::Errno, number});
}

std::string text_of(const KeptImages& images) {
    auto list = json::array();
    for (const auto& [id, image] : images) {
        list.push_back({{"id", id}, {"names", image.names}, {"usedAt", to_ms(image.used_at)}});
    }
    return dump_json(json{{"version", version}, {"images", std::move(list)}}) + "\n";
}

/// Throws nlohmann's exceptions where the text is not what text_of() writes.
KeptImages images_of(const std::string& text) {
    const auto document = parse_json(text);
    if (document.at("version") != version) {
        throw Failure(Code::InvalidInput, "it is of another version");
    }
    KeptImages images;
    for (const auto& row : document.at("images")) {
        KeptImage image;
        image.names = row.at("names").get<std::set<std::string>>();
        image.used_at = WallTime(std::chrono::milliseconds(row.at("usedAt").get<std::int64_t>()));
        images.emplace(row.at("id").get<std::string>(), std::move(image));
        if (images.size() > kept_images_max) {
            throw Failure(Code::InvalidInput, "it names too many images");
        }
    }
    return images;
}

} // namespace

ImageLedger::ImageLedger(const std::string& data_dir)
    : path_((std::filesystem::path(data_dir) / file_name).string()) {}

Result<KeptImages> ImageLedger::load() const {
    std::error_code failed;
    const auto bytes = std::filesystem::file_size(path_, failed);
    if (failed == std::errc::no_such_file_or_directory) {
        return KeptImages();
    }
    std::ifstream file(path_, std::ios::binary);
    if (failed || !file) {
        return system_error("cannot read", path_);
    }
    if (bytes > file_bytes_max) {
        return Error(Code::InvalidInput, path_ + " is damaged: it is too large");
    }
    std::ostringstream text;
    text << file.rdbuf();
    try {
        return images_of(text.str());
    } catch (const std::exception& error) {
        return Error(Code::InvalidInput, path_ + " is damaged: " + error.what());
    }
}

Result<void> ImageLedger::save(const KeptImages& images) {
    if (images == saved_) {
        return {};
    }
    const auto temporary = path_ + ".new";
    {
        std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
        file << text_of(images) << std::flush;
        if (!file) {
            return system_error("cannot write", temporary);
        }
    }
    if (std::rename(temporary.c_str(), path_.c_str()) != 0) {
        return system_error("cannot write", path_);
    }
    saved_ = images;
    return {};
}

} // namespace methos::executor
