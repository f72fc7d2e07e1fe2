// A store on three NATS servers, with three copies of each stream, keeps every promise of the storage seams.
#include "tests/contract/event_log_contract.h"
#include "tests/contract/jetstream_engine.h"
#include "tests/contract/state_store_contract.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

// Three servers for all tests of the program.
class Cluster final : public testing::Environment {
 public:
  void SetUp() override {
    folder_ = std::make_unique<TempFolder>();
    auto cluster = NatsCluster::Start(folder_->path());
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
  }

  void TearDown() override {
    cluster_.reset();
    folder_.reset();
  }

  std::string url() const { return cluster_->url(); }

 private:
  std::unique_ptr<TempFolder> folder_;
  std::unique_ptr<NatsCluster> cluster_;
};

Cluster* const kCluster = static_cast<Cluster*>(testing::AddGlobalTestEnvironment(new Cluster));

const EngineUnderTest kThreeServers{"ThreeServers", [] { return std::make_unique<JetStreamEngine>(kCluster->url()); }};

INSTANTIATE_TEST_SUITE_P(Engine, EventLogContract, testing::Values(kThreeServers), EngineName);
INSTANTIATE_TEST_SUITE_P(Engine, StateStoreContract, testing::Values(kThreeServers), EngineName);

}  // namespace
}  // namespace aulm::gateway
