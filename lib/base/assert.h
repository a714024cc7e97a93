// Checks of our own reasoning, on in every build. What comes from a disk, the network or a user is never
// asserted: it is checked and answered with an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

#define MENDFS_ASSERT(condition)                                                               \
  do {                                                                                         \
    if (!(condition)) [[unlikely]] {                                                           \
      std::fprintf(stderr, "%s:%d: broken expectation: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
