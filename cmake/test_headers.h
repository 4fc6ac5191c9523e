// What nearly every test includes. Compiled once (cmake/FairleadTargets.cmake), clang reads it in a tenth of the time; it has
// only headers of other projects, so that a change of ours does not compile every test anew.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tl/expected.hpp>
#include <variant>
#include <vector>
