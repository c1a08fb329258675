// SPDX-License-Identifier: Apache-2.0
//
// sample.argmax and sample.draw, and the gathers of another home.
#include "test/Target/CPU/StepHarness.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace sluice::cpu;

namespace {

std::string sampleModule(const std::string &arguments, const std::string &op) {
  return "func.func @f(" + arguments +
         ") attributes {sluice.export} {\n"
         "place.team { place.phase \"sample\" share asked {\n" +
         op + "\n} }\nreturn\n}\n";
}

std::vector<int32_t> argmax(const std::vector<std::vector<float>> &rows) {
  std::vector<float> logits;
  for (const auto &row : rows)
    logits.insert(logits.end(), row.begin(), row.end());
  size_t vocabulary = rows[0].size();
  std::vector<int32_t> tokens(rows.size()), first;
  CallData data;
  data.arg(logits, rows.size()), data.arg(tokens, rows.size());
  std::string type = "memref<?x" + std::to_string(vocabulary) + "xf32>";
  std::string text =
      sampleModule("%x: " + type + ", %t: memref<?xi32>",
                   "sluice.sample.argmax %x into %t : (" + type + ", memref<?xi32>) -> ()");
  for (const char *machine : {"native", "x86-64-v3"}) {
    LoadedStep step(text, machine);
    for (int workers : {1, 2, 3}) {
      std::fill(tokens.begin(), tokens.end(), -7);
      step.run("f", data, workers);
      if (first.empty())
        first = tokens;
      EXPECT_EQ(tokens, first) << machine << ", " << workers << " workers";
    }
  }
  return first;
}

TEST(SampleArgmax, TakesTheFirstGreatest) {
  Random random(1);
  std::vector<std::vector<float>> rows;
  std::vector<int32_t> expected;
  for (int i = 0; i < 9; ++i) {
    rows.push_back(random.floats(1003));
    for (float &x : rows.back())
      x = std::round(x * 50); // many ties
    expected.push_back(static_cast<int32_t>(
        std::max_element(rows.back().begin(), rows.back().end()) - rows.back().begin()));
  }
  EXPECT_EQ(argmax(rows), expected);
}

TEST(SampleArgmax, SpecialNumbers) {
  float nan = NAN, inf = INFINITY;
  EXPECT_EQ(
      argmax(
          {{nan, nan, nan}, {nan, -inf, -inf}, {-0.0f, 0.0f, -1}, {nan, 1, inf}, {-inf, nan, -5}}),
      (std::vector<int32_t>{0, 1, 0, 2, 2}));
}

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

struct Drawn {
  std::vector<int32_t> tokens;
  std::vector<int64_t> states;
};

Drawn draw(const LoadedStep &step, std::vector<float> logits, std::vector<float> temperature,
           std::vector<int64_t> states, int workers) {
  size_t rows = temperature.size();
  Drawn drawn{std::vector<int32_t>(rows, -7), states};
  CallData data;
  // The states are updated in place.
  data.arg(logits, rows), data.arg(temperature, rows), data.arg(drawn.states, rows);
  data.arg(drawn.tokens, rows);
  step.run("f", data, workers);
  return drawn;
}

std::string drawModule(int64_t vocabulary) {
  std::string type = "memref<?x" + std::to_string(vocabulary) + "xf32>";
  return sampleModule(
      "%x: " + type + ", %temperature: memref<?xf32>, %s: memref<?xi64>, %t: memref<?xi32>",
      "sluice.sample.draw %x temperature %temperature rng %s into %t, %s : (" + type +
          ", memref<?xf32>, memref<?xi64>, memref<?xi32>, memref<?xi64>) -> ()");
}

TEST(SampleDraw, FollowsTheRunningSum) {
  constexpr int64_t vocabulary = 37, rows = 200;
  LoadedStep step(drawModule(vocabulary));
  Random random(2);
  auto logits = random.floats(rows * vocabulary, 3);
  std::vector<float> temperature;
  std::vector<int64_t> states;
  for (int64_t r = 0; r < rows; ++r) {
    temperature.push_back(r % 5 == 0 ? 0.0f : 0.3f + random.uniform() * 0.25f);
    states.push_back(static_cast<int64_t>(random.bits()));
  }
  Drawn one = draw(step, logits, temperature, states, 1),
        three = draw(step, logits, temperature, states, 3);
  EXPECT_EQ(one.tokens, three.tokens);
  EXPECT_EQ(one.states, three.states);
  int certain = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = &logits[r * vocabulary];
    float top = *std::max_element(row, row + vocabulary);
    if (!(temperature[r] > 0)) {
      EXPECT_EQ(row[one.tokens[r]], top);
      EXPECT_EQ(one.states[r], states[r]);
      continue;
    }
    uint64_t next = static_cast<uint64_t>(states[r]) + 0x9E3779B97F4A7C15;
    EXPECT_EQ(static_cast<uint64_t>(one.states[r]), next);
    double u = static_cast<double>(mix(next) >> 11) * 0x1p-53, total = 0, sum = 0;
    std::vector<double> p;
    for (int64_t v = 0; v < vocabulary; ++v)
      p.push_back(std::exp(static_cast<double>((row[v] - top) / temperature[r]))),
          total += p.back();
    for (int64_t v = 0; v < vocabulary; ++v) {
      double before = sum;
      sum += p[v];
      // Away from the borders, where the last bits of exp decide.
      if (u * total < sum - 1e-5 && u * total > before + 1e-5) {
        EXPECT_EQ(one.tokens[r], v) << "row " << r;
        ++certain;
      }
    }
  }
  EXPECT_GT(certain, 140);
}

TEST(SampleDraw, SpecialNumbers) {
  LoadedStep step(drawModule(4));
  float nan = NAN, inf = INFINITY;
  // No weight is positive: the argmax. NaN has no weight. T = inf takes finite logits only.
  Drawn none = draw(step, {nan, nan, nan, nan, -inf, -inf, nan, -inf}, {1, 1}, {5, 5}, 1);
  EXPECT_EQ(none.tokens, (std::vector<int32_t>{0, 0}));
  for (int64_t state = 0; state < 50; ++state) {
    Drawn some = draw(step, {nan, 3, nan, 2, -inf, -1000, 7, -inf}, {1, inf}, {state, state}, 1);
    EXPECT_TRUE(some.tokens[0] == 1 || some.tokens[0] == 3);
    EXPECT_TRUE(some.tokens[1] == 1 || some.tokens[1] == 2);
  }
}

//===-- gathers of another home
//-------------------------------------------------------------------===//

/// A home whose one table holds 10 * row + column; serves when it is awaited.
struct FakeHome {
  sluice_home_t home = {this, submit, await};
  struct Request {
    int32_t table;
    const int32_t *ids;
    int64_t count, rowBytes;
    uint8_t *dest;
    int64_t stride;
  } request = {};
  bool refuse = false;
  int awaited = 0;

  static int64_t submit(void *self, int32_t table, const int32_t *ids, int64_t count,
                        int64_t rowBytes, uint8_t *dest, int64_t stride) {
    auto *home = static_cast<FakeHome *>(self);
    home->request = {table, ids, count, rowBytes, dest, stride};
    return home->refuse ? -1 : 77;
  }
  static int32_t await(void *self, int64_t token) {
    auto *home = static_cast<FakeHome *>(self);
    home->awaited += token == 77;
    const Request &r = home->request;
    for (int64_t i = 0; i < r.count; ++i) {
      if (r.ids[i] < 0 || r.ids[i] >= 6)
        return SLUICE_TRAP_ID;
      for (int64_t c = 0; c * 4 < r.rowBytes; ++c) {
        float value = static_cast<float>(10 * r.ids[i] + c);
        std::memcpy(r.dest + i * r.stride + c * 4, &value, 4);
      }
    }
    return SLUICE_TRAP_NONE;
  }
};

constexpr const char *kGather =
    "sluice.param @other role scale layout rows : tensor<4xf32> from [\"o\"] rows [4]\n"
    "sluice.param @table role table layout rows : tensor<6x3xf32> from [\"t\"] rows [6]\n"
    "func.func @f(%i: memref<?xi32>, %y: memref<?x3xf32>) attributes {sluice.export} {\n"
    "%h = place.buffer \"rows\" size <row = 64, seq = 0, fixed = 0> at <row = 0, seq = 0, fixed = "
    "0>"
    " : memref<?x3xf32, strided<[16, 1]>>\n"
    "place.team {\nplace.phase \"submit\" share one {\n"
    "place.submit @table[%i] into %h token 1 home \"host\" : memref<?xi32>, memref<?x3xf32, "
    "strided<[16, 1]>>\n}\n"
    "place.barrier\nplace.phase \"await\" share one {\n"
    "place.await token 1 into %h : memref<?x3xf32, strided<[16, 1]>>\n}\n"
    "place.barrier\nplace.phase \"out\" share rows {\n"
    "place.copy %h into %y : memref<?x3xf32, strided<[16, 1]>>, memref<?x3xf32>\n}\n}\nreturn\n}\n";

struct GatherResult {
  std::vector<float> rows;
  sluice_trap_t trap;
};

GatherResult gather(FakeHome &home, std::vector<int32_t> ids, int workers) {
  static LoadedStep *step = new LoadedStep(kGather);
  GatherResult result{std::vector<float>(ids.size() * 3, -1.0f), {}};
  CallData data;
  data.arg(ids, ids.size()), data.arg(result.rows, ids.size());
  data.weights.resize(2);
  data.home = &home.home;
  data.arenaRow = 64;
  step->run("f", data, workers);
  result.trap = data.trap;
  return result;
}

TEST(Move, RowsOfAnotherHomeArrive) {
  for (int workers : {1, 2, 3}) {
    FakeHome home;
    GatherResult result = gather(home, {5, 0, 2}, workers);
    EXPECT_EQ(result.rows, (std::vector<float>{50, 51, 52, 0, 1, 2, 20, 21, 22}));
    EXPECT_EQ(result.trap.code, SLUICE_TRAP_NONE);
    EXPECT_EQ(home.request.table, 1);
    EXPECT_EQ(home.request.rowBytes, 12);
    EXPECT_EQ(home.request.stride, 64);
    EXPECT_EQ(home.awaited, 1);
  }
}

TEST(Move, AFailureIsATrap) {
  FakeHome home;
  sluice_trap_t trap = gather(home, {5, 6}, 2).trap;
  EXPECT_EQ(trap.code, SLUICE_TRAP_ID);
  EXPECT_EQ(trap.bound, 6);
  FakeHome refusing;
  refusing.refuse = true;
  EXPECT_EQ(gather(refusing, {1}, 2).trap.code, SLUICE_TRAP_ID);
  EXPECT_EQ(refusing.awaited, 0);
}

} // namespace
