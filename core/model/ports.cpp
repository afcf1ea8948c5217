#include "core/model/ports.hpp"

#include "core/base/units.hpp"

#include <algorithm>

namespace methos {

void PortSet::insert(PortRange range) {
    // Everything that touches or overlaps the new range melts into it.
    int first = range.first;
    int last = range.last;
    std::vector<PortRange> merged;
    merged.reserve(ranges_.size() + 1);
    for (const auto& other : ranges_) {
        if (int{other.last} + 1 < first || int{other.first} > last + 1) {
            merged.push_back(other);
        } else {
            first = std::min(first, int{other.first});
            last = std::max(last, int{other.last});
        }
    }
    merged.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)});
    std::sort(merged.begin(), merged.end(), [](const PortRange& a, const PortRange& b) {
        return a.first < b.first;
    });
    ranges_ = std::move(merged);
}

bool PortSet::erase(std::uint16_t port) {
    for (auto it = ranges_.begin(); it != ranges_.end(); ++it) {
        if (port < it->first || port > it->last) {
            continue;
        }
        const PortRange below{it->first, static_cast<std::uint16_t>(port - 1)};
        const PortRange above{static_cast<std::uint16_t>(port + 1), it->last};
        const bool keep_below = port > it->first;
        const bool keep_above = port < it->last;
        it = ranges_.erase(it);
        if (keep_above) {
            it = ranges_.insert(it, above);
        }
        if (keep_below) {
            ranges_.insert(it, below);
        }
        return true;
    }
    return false;
}

bool PortSet::contains(std::uint16_t port) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [port](const PortRange& range) {
        return port >= range.first && port <= range.last;
    });
}

std::size_t PortSet::count() const {
    std::size_t total = 0;
    for (const auto& range : ranges_) {
        total += std::size_t{range.last} - range.first + 1;
    }
    return total;
}

std::optional<std::uint16_t> PortSet::first_from(std::uint16_t from) const {
    for (const auto& range : ranges_) {
        if (range.last >= from) {
            return std::max(range.first, from);
        }
    }
    return std::nullopt;
}

Result<PortSet> parse_ports(std::string_view text) {
    const auto whole = text;
    const auto bad = [whole](std::string_view part) {
        return Error(Code::InvalidInput,
                     "'" + std::string(part) + "' in ports '" + std::string(whole) +
                         "' is not a port range: write [31000-32000,33000]");
    };
    if (!text.empty() && text.front() == '[') {
        if (text.back() != ']' || text.size() < 2) {
            return bad(text);
        }
        text = text.substr(1, text.size() - 2);
    }
    PortSet ports;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto part = text.substr(0, comma);
        const auto dash = part.find('-');
        const auto first = parse_int(part.substr(0, dash), 1, 65535);
        const auto last =
            dash == std::string_view::npos ? first : parse_int(part.substr(dash + 1), 1, 65535);
        if (!first || !last || *first > *last) {
            return bad(part);
        }
        ports.insert(
            PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)});
        if (comma == std::string_view::npos) {
            break;
        }
        text.remove_prefix(comma + 1);
        if (text.empty()) {
            return bad(whole);
        }
    }
    return ports;
}

std::string format_ports(const PortSet& ports) {
    std::string text = "[";
    for (const auto& range : ports.ranges()) {
        text += (text.size() > 1 ? "," : "") + std::to_string(range.first) + "-" +
                std::to_string(range.last);
    }
    return text + "]";
}

} // namespace methos
