// ldns, so that other headers can be included after it: where it does not find stdbool.h, it makes macros of bool, true and
// false.
#pragma once

// clang-format off
#include <stdbool.h>
#include <ldns/ldns.h>
// clang-format on
