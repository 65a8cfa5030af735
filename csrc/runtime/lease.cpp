#include "runtime/lease.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>

#include "runtime/team.h"

namespace flyball {
namespace {

struct Office {
  std::mutex mutex;
  std::condition_variable freed;
  std::deque<const Lease*> line;
  int tenants = 0;
  int leased = 0;
};

// Never destroyed: threads may outlive static objects at exit.
alignas(Office) unsigned char memory[sizeof(Office)];

Office& office() {
  static Office* const made = new (memory) Office;
  return *made;
}

}  // namespace

void register_tenant() {
  std::lock_guard lock(office().mutex);
  ++office().tenants;
}

void dismiss_tenant() {
  std::lock_guard lock(office().mutex);
  office().tenants = std::max(0, office().tenants - 1);  // a fork's child may dismiss a tenant of its parent
}

Lease::Lease(int wanted, double seconds) {
  Office& o = office();
  std::unique_lock lock(o.mutex);
  o.line.push_back(this);
  const auto free = [&] { return o.line.front() == this && o.leased < num_threads(); };
  if (o.freed.wait_for(lock, std::chrono::duration<double>(seconds), free)) {
    const int share = std::max(1, num_threads() / std::max(1, o.tenants));
    threads_ = std::min({wanted, share, num_threads() - o.leased});
    o.leased += threads_;
  }
  o.line.erase(std::find(o.line.begin(), o.line.end(), this));
  // The next in line may be served too, or has become the first.
  if (!o.line.empty()) o.freed.notify_all();
}

Lease::~Lease() {
  if (threads_ == 0) return;
  std::lock_guard lock(office().mutex);
  office().leased -= threads_;
  if (!office().line.empty()) office().freed.notify_all();
}

int leased_threads() {
  std::lock_guard lock(office().mutex);
  return office().leased;
}

void abandon_leases() { new (memory) Office; }

}  // namespace flyball
