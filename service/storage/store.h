#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/event_log.h"
#include "service/storage/nats_servers.h"
#include "service/storage/peer_channel.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Where a store is and how much it keeps.
struct StoreOptions {
  // sqlite://<folder>: sqlite:///var/lib/aulm-gateway, or sqlite://./data below the working directory. Or
  // nats://host:port,host:port (tls:// likewise), which may hold user:password@.
  std::string url;
  // Of a store on NATS, besides the URL.
  NatsStoreOptions nats;

  // Events older than this leave the log.
  absl::Duration retention = absl::Hours(30 * 24);
  // The oldest events leave the log when it has more bytes than this (events and raw bodies as stored; deduplication
  // and state come on top); 0: no bound.
  uint64_t max_bytes = 0;
  // How long a delivery id is known, whatever became of its event.
  absl::Duration dedupe_retention = absl::Hours(30 * 24);

  // An embedded store that is not there is NOT_FOUND, rather than made.
  bool must_exist = false;

  // Appends that may wait for the disk; more are refused with RESOURCE_EXHAUSTED.
  size_t max_queued_appends = 8192;
  size_t max_queued_bytes = 64 << 20;
  // Calls of the state store that may wait, and keys that may be uncommitted.
  size_t max_open_state_calls = 65536;

  // Of an embedded store: the newest events that memory keeps for who follows the log; 0: every read asks the database.
  size_t recent_events = 2048;

  // The largest body of a delivery: what a store across a network must be able to take in one piece.
  size_t max_body_bytes = 1 << 20;

  // Called once, on a thread of the store's, when the store cannot go on: an fsync failed, and nobody can say what the
  // disk holds until the file was closed and read again; or the log is another one than it was. The owner ends the
  // process, without waiting for the store.
  std::function<void(const absl::Status&)> on_fatal;
  // Called on a thread of the store's when a store across a network is out of reach, with the reason, and when it is
  // back, with OK. It must return at once.
  std::function<void(const absl::Status&)> on_health;
};

// An open store: the seams of one engine. Move-only; destroying it commits what waits, calls every callback and closes
// the engine, and by then nobody may use its parts.
struct Store {
  // The whole store is read and checked; takes time in proportion to it. Errors: DATA_LOSS naming what is wrong.
  // Blocks.
  std::function<absl::Status()> full_check;

  // Other replicas may use the same store at the same time.
  bool shared = false;

  EventLog* log = nullptr;
  StateStore* state = nullptr;
  PeerChannel* peers = nullptr;

  // Owns all of them.
  std::unique_ptr<void, void (*)(void*)> engine{nullptr, [](void*) {}};
};

// Opens the store that `options.url` names. Blocks for as long as the disk needs. The clock, the random source and the
// registry must outlive the store. Errors: INVALID_ARGUMENT for a URL that names no store, saying what would; those of
// SqliteStore::Open.
absl::StatusOr<Store> OpenStore(const StoreOptions& options, Clock& clock, Random& random,
                                prometheus::Registry& registry);

// What CopyStore has done so far.
struct CopiedStore {
  uint64_t events = 0;
  uint64_t deliveries = 0;
  uint64_t entries = 0;  // of the state
};

// Copies an embedded store, which no gateway may have open, into a new one on NATS: log, deduplication and state, under
// the same sequences, times and keys, so that cursors and request ids hold there. `from` is a URL, `to` as for
// OpenStore. `on_progress` comes from time to time. One that was interrupted goes on when it is called again, and until
// it has ended no gateway starts on the copy. Blocks. Errors: INVALID_ARGUMENT for two stores that cannot be copied so;
// NOT_FOUND when there is nothing to copy; FAILED_PRECONDITION when `from` is in use or `to` holds another log; those
// of OpenStore.
absl::StatusOr<CopiedStore> CopyStore(const std::string& from, const StoreOptions& to, Clock& clock, Random& random,
                                      const std::function<void(const CopiedStore&)>& on_progress);

}  // namespace aulm::gateway
