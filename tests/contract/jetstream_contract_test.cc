// A store on JetStream keeps every promise of the storage seams.
#include "tests/contract/event_log_contract.h"
#include "tests/contract/jetstream_engine.h"
#include "tests/contract/state_store_contract.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

// One server for all tests of the program.
class Server final : public testing::Environment {
 public:
  void SetUp() override {
    folder_ = std::make_unique<TempFolder>();
    auto server = NatsServer::Start({.folder = folder_->path()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void TearDown() override {
    server_.reset();
    folder_.reset();
  }

  std::string url() const { return "nats://" + server_->address(); }

 private:
  std::unique_ptr<TempFolder> folder_;
  std::unique_ptr<NatsServer> server_;
};

Server* const kServer = static_cast<Server*>(testing::AddGlobalTestEnvironment(new Server));

const EngineUnderTest kJetStream{"JetStream", [] { return std::make_unique<JetStreamEngine>(kServer->url()); }};

INSTANTIATE_TEST_SUITE_P(Engine, EventLogContract, testing::Values(kJetStream), EngineName);
INSTANTIATE_TEST_SUITE_P(Engine, StateStoreContract, testing::Values(kJetStream), EngineName);

}  // namespace
}  // namespace aulm::gateway
