// Shares the limit on threads among the Programs that run at the same time, in different Python threads.
#pragma once

namespace flyball {

// A tenant runs slices of a Program: while it is registered, the others leave room for it.
void register_tenant();
void dismiss_tenant();

// Threads for one slice. A tenant is given no more than its share, limit / tenants, but one at least; if all are in use
// it waits in line, at most `seconds`.
class Lease {
 public:
  Lease(int wanted, double seconds);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  int threads() const { return threads_; }  // 0 if none came free

 private:
  int threads_ = 0;
};

// Threads on lease now.
int leased_threads();

// For a forked child, where the other threads and their leases are gone.
void abandon_leases();

}  // namespace flyball
