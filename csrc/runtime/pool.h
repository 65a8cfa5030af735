// A pool of std::thread: what a Team runs on where OpenMP is absent or unusable.
#pragma once

#include <functional>

namespace flyball {

// Runs body(0) on the caller and body(1) .. body(threads - 1) on pool threads; returns when all have finished.
// Concurrent callers get pools of their own.
void run_on_pool(int threads, const std::function<void(int)>& body);

// Forgets all pools without touching their threads: for the child of a fork, in which those threads do not exist.
void abandon_pools();

}  // namespace flyball
