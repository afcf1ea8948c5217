// The metrics registry of one process: counters, gauges and histograms by name and labels, printed
// as Prometheus text or as Dropwizard JSON (what Marathon's clients read). prometheus-cpp inside;
// only metrics.cpp includes it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace methos {

class Metrics {
  public:
    using Labels = std::map<std::string, std::string>;

    Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    ~Metrics();

    /// Handles are cheap to keep and to use; they live as long as the registry.
    class Counter {
      public:
        explicit Counter(void* impl) : impl_(impl) {}

        void increment(double by = 1.0) const;

      private:
        void* impl_;
    };

    class Gauge {
      public:
        explicit Gauge(void* impl) : impl_(impl) {}

        void set(double value) const;

      private:
        void* impl_;
    };

    class Histogram {
      public:
        explicit Histogram(void* impl) : impl_(impl) {}

        void observe(double value) const;

      private:
        void* impl_;
    };

    [[nodiscard]] Counter
    counter(const std::string& name, const std::string& help, const Labels& labels = {});
    [[nodiscard]] Gauge
    gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    /// Buckets in the metric's unit; seconds by default (1 ms to 100 s).
    [[nodiscard]] Histogram histogram(const std::string& name,
                                      const std::string& help,
                                      const Labels& labels = {},
                                      std::vector<double> buckets = {});

    [[nodiscard]] std::string prometheus_text() const;
    /// {version, gauges, counters, histograms, meters, timers}
    [[nodiscard]] std::string dropwizard_json() const;

    /// Which of the two an Accept header asks for: Prometheus when it names text/plain, openmetrics
    /// or */*.
    [[nodiscard]] static bool wants_prometheus(const std::string* accept);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace methos
