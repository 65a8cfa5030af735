#include "runtime/pool.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace flyball {
namespace {

class Pool {
 public:
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int threads, const std::function<void(int)>& body) {
    while (static_cast<int>(threads_.size()) < threads - 1) {
      const int rank = static_cast<int>(threads_.size()) + 1;
      threads_.emplace_back([this, rank, seen = generation_] { work(rank, seen); });
    }
    {
      std::lock_guard lock(mutex_);
      body_ = &body;
      active_ = threads;
      pending_.store(threads - 1, std::memory_order_relaxed);
      ++generation_;
    }
    wake_.notify_all();
    body(0);
    while (pending_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
  }

 private:
  void work(int rank, unsigned seen) {
    for (;;) {
      const std::function<void(int)>* body = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
        if (stop_) return;
        seen = generation_;
        if (rank < active_) body = body_;
      }
      if (body == nullptr) continue;
      (*body)(rank);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  const std::function<void(int)>* body_ = nullptr;
  unsigned generation_ = 0;
  int active_ = 0;
  bool stop_ = false;
  std::atomic<int> pending_{0};
};

// Idle pools; a caller takes one and gives it back. Never destroyed: threads may outlive static destruction.
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<Pool>> idle;
};

alignas(Registry) unsigned char registry_memory[sizeof(Registry)];
Registry* registry = new (registry_memory) Registry;

}  // namespace

void run_on_pool(int threads, const std::function<void(int)>& body) {
  std::unique_ptr<Pool> pool;
  {
    std::lock_guard lock(registry->mutex);
    if (!registry->idle.empty()) {
      pool = std::move(registry->idle.back());
      registry->idle.pop_back();
    }
  }
  if (!pool) pool = std::make_unique<Pool>();
  pool->run(threads, body);
  std::lock_guard lock(registry->mutex);
  registry->idle.push_back(std::move(pool));
}

void abandon_pools() { registry = new (registry_memory) Registry; }

}  // namespace flyball
