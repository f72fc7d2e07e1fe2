#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "service/storage/event_log.h"
#include "tests/contract/store_engine.h"

namespace aulm::gateway {

// What every EventLog promises (event_log.h), checked on whatever engine it is instantiated with:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, EventLogContract, testing::Values(EngineUnderTest{…}), EngineName);
// Sequences may have gaps: nothing here expects them to be consecutive.
class EventLogContract : public testing::TestWithParam<EngineUnderTest> {
 protected:
  EventLogContract() : engine_(GetParam().make()) {}

  EventLog& log() { return engine_->log(); }

  // Appends and waits; gives the sequence. Fails the test on an error or a duplicate.
  uint64_t Append(NewEvent event);
  uint64_t Append(const std::string& delivery_id);

  // Everything after `after`, page by page.
  std::vector<uint64_t> ReadSequences(uint64_t after, ReadLimits limits = {});
  // The delivery ids of everything in the log.
  std::vector<std::string> ReadDeliveryIds();

  std::unique_ptr<StoreEngine> engine_;
};

}  // namespace aulm::gateway
