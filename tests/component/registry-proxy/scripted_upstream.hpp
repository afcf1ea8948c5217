// An upstream registry in the test's own process that does what the test says: serves content,
// counts requests, demands tokens, redirects, cuts bodies, lies about bytes, or fails. Loop thread
// only.
#pragma once

#include "core/http/server.hpp"
#include "registry-proxy/cache/digest.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace methos::test {

class ScriptedUpstream {
  public:
    explicit ScriptedUpstream(const asio::any_io_executor& executor);

    /// Content by path below /v2/: "team/app/manifests/1". Returns its digest.
    proxy::Digest put_blob(const std::string& name, const std::string& bytes);
    proxy::Digest
    put_manifest(const std::string& name, const std::string& tag, const std::string& bytes);

    [[nodiscard]] std::string url() const { return "http://" + address_; }

    [[nodiscard]] int count(const std::string& method_and_path) const;
    [[nodiscard]] awaitable<> stop();

    int fail_with = 0;        ///< every request is answered so, when set
    bool needs_token = false; ///< Bearer, from /token of this server
    bool redirects_blobs = false;
    bool ignores_ranges = false;
    bool corrupts_blobs = false; ///< right length, wrong bytes
    std::size_t cut_after = 0;   ///< blob bodies break after so many bytes, when set
    int cuts_left = 0;
    std::shared_ptr<Gate> hold; ///< blob bodies wait here after their first half
    std::vector<std::string> leaked_authorizations; ///< Authorization seen at the redirect's target
    std::vector<std::string> token_authorizations;

  private:
    struct Document {
        std::string media_type;
        std::string bytes;
    };

    awaitable<http::Response> answer(http::Request request);
    awaitable<http::Response> answer_token(http::Request request);
    http::Response send_blob(const http::Request& request, const std::string& bytes);

    std::map<std::string, Document> documents_;
    std::map<std::string, int> counts_;
    std::unique_ptr<http::Server> server_;
    std::string address_;
};

} // namespace methos::test
