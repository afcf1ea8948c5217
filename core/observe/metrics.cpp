#include "core/observe/metrics.hpp"

#include "core/base/json.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace methos {

namespace {

using nlohmann::json;

/// From 1 ms to 100 s, in the steps people read: 1, 2.5, 5, 10...
const std::vector<double>& seconds_buckets() {
    static const std::vector<double> buckets{
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100};
    return buckets;
}

/// Dropwizard has no labels: they go into the name as Prometheus writes them.
std::string flat_name(const prometheus::MetricFamily& family,
                      const prometheus::ClientMetric& metric) {
    std::string name = family.name;
    char separator = '{';
    for (const auto& label : metric.label) {
        name += separator + label.name + "=\"" + label.value + '"';
        separator = ',';
    }
    return separator == '{' ? name : name + '}';
}

/// JSON has no NaN and no infinity.
json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

/// The value below which `share` of the observations lie, taking them as evenly spread in their
/// bucket; what lies above the last bound counts as that bound.
double quantile(const prometheus::ClientMetric::Histogram& histogram, double share) {
    const double rank = share * static_cast<double>(histogram.sample_count);
    double lower_bound = 0.0;
    double below = 0.0;
    for (const auto& bucket : histogram.bucket) {
        const auto cumulative = static_cast<double>(bucket.cumulative_count);
        if (cumulative >= rank && cumulative > below) {
            if (!std::isfinite(bucket.upper_bound)) {
                return lower_bound;
            }
            return lower_bound +
                   (bucket.upper_bound - lower_bound) * (rank - below) / (cumulative - below);
        }
        below = cumulative;
        lower_bound = std::isfinite(bucket.upper_bound) ? bucket.upper_bound : lower_bound;
    }
    return lower_bound;
}

json dropwizard_histogram(const prometheus::ClientMetric::Histogram& histogram) {
    const auto count = histogram.sample_count;
    const double mean = count == 0 ? 0.0 : histogram.sample_sum / static_cast<double>(count);
    json out{{"count", count}, {"mean", number(mean)}};
    out["min"] = number(count == 0 ? 0.0 : quantile(histogram, 0.0));
    out["max"] = number(count == 0 ? 0.0 : quantile(histogram, 1.0));
    constexpr std::array<std::pair<const char*, double>, 6> shares{{{"p50", 0.5},
                                                                    {"p75", 0.75},
                                                                    {"p95", 0.95},
                                                                    {"p98", 0.98},
                                                                    {"p99", 0.99},
                                                                    {"p999", 0.999}}};
    for (const auto& [name, share] : shares) {
        out[name] = number(count == 0 ? 0.0 : quantile(histogram, share));
    }
    return out;
}

} // namespace

struct Metrics::Impl {
    prometheus::Registry registry;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}

Metrics::~Metrics() = default;

void Metrics::Counter::increment(double by) const {
    static_cast<prometheus::Counter*>(impl_)->Increment(by);
}

void Metrics::Gauge::set(double value) const {
    static_cast<prometheus::Gauge*>(impl_)->Set(value);
}

void Metrics::Histogram::observe(double value) const {
    static_cast<prometheus::Histogram*>(impl_)->Observe(value);
}

// A family of the same name and a metric of the same labels are found again by prometheus-cpp, so
// asking twice gives handles to one metric.

Metrics::Counter
Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
    return Counter(&family.Add(labels));
}

Metrics::Gauge
Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
    return Gauge(&family.Add(labels));
}

Metrics::Histogram Metrics::histogram(const std::string& name,
                                      const std::string& help,
                                      const Labels& labels,
                                      std::vector<double> buckets) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
    const auto& bounds = buckets.empty() ? seconds_buckets() : buckets;
    return Histogram(&family.Add(labels, prometheus::Histogram::BucketBoundaries(bounds)));
}

std::string Metrics::prometheus_text() const {
    return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

std::string Metrics::dropwizard_json() const {
    json out;
    out["version"] = "4.0.0";
    for (const char* section : {"gauges", "counters", "histograms", "meters", "timers"}) {
        out[section] = json::object();
    }
    for (const auto& family : impl_->registry.Collect()) {
        for (const auto& metric : family.metric) {
            const auto name = flat_name(family, metric);
            if (family.type == prometheus::MetricType::Counter) {
                out["counters"][name]["count"] = number(metric.counter.value);
            } else if (family.type == prometheus::MetricType::Gauge) {
                out["gauges"][name]["value"] = number(metric.gauge.value);
            } else if (family.type == prometheus::MetricType::Histogram) {
                out["histograms"][name] = dropwizard_histogram(metric.histogram);
            }
        }
    }
    // Labels may hold what is not UTF-8; it is replaced, never a reason to fail.
    return dump_json(out);
}

bool Metrics::wants_prometheus(const std::string* accept) {
    if (accept == nullptr) {
        return false;
    }
    std::string lower = *accept;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return lower.find("text/plain") != std::string::npos ||
           lower.find("openmetrics") != std::string::npos || lower.find("*/*") != std::string::npos;
}

} // namespace methos
