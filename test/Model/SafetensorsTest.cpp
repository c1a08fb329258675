//===- SafetensorsTest.cpp - good files read, hostile files refused --------===//
// SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//
#include "sluice/Model/Safetensors.h"
#include "TempDir.h"

using namespace sluice::model;

namespace {

struct Hostile {
  const char *name;
  std::string bytes;
  const char *message;
};

class HostileFile : public testing::TestWithParam<Hostile> {};

TEST_P(HostileFile, IsRefusedWithAReason) {
  TempDir dir;
  std::string path = dir.write("model.safetensors", GetParam().bytes);
  ProblemLog log;
  EXPECT_EQ(SafetensorsFile::open(path, log), nullptr);
  EXPECT_EQ(log.exitCode(), 2);
  EXPECT_EQ(log.problems().size(), 1u);
  EXPECT_NE(messages(log).find(GetParam().message), std::string::npos) << messages(log);
  EXPECT_NE(messages(log).find("model.safetensors"), std::string::npos) << messages(log);
}

std::string nested(unsigned depth, const char *open) {
  std::string text = "{\"a\":";
  for (unsigned i = 0; i != depth; ++i)
    text += open;
  return text;
}

const char *two32 = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

INSTANTIATE_TEST_SUITE_P(
    Safetensors, HostileFile,
    testing::Values(
        Hostile{"Empty", "", "cut off"}, Hostile{"ShortLength", "1234567", "cut off"},
        Hostile{"HeaderPastTheEnd", safetensors(two32, 8, 4096), "bytes of header, but only"},
        Hostile{"HeaderLengthOfAllOnes", safetensors(two32, 8, ~0ull), "at most 100000000"},
        Hostile{"HeaderTooLong", safetensors(two32, 8, 100'000'001), "at most 100000000"},
        Hostile{"NoBrace", safetensors("[1]", 0), "start with '{'"},
        Hostile{"LeadingSpace", safetensors(" {}", 0), "start with '{'"},
        Hostile{"NotJson", safetensors("{\"a\":}", 0), "not valid JSON"},
        Hostile{"TruncatedJson", safetensors("{\"a\":{\"dtype\":\"F32\"", 0), "not valid JSON"},
        Hostile{"BrokenString", safetensors("{\"a", 0), "not valid JSON"},
        Hostile{"NotUtf8", safetensors("{\"\xff\":{}}", 0), "not valid JSON"},
        Hostile{"DeepArrays", safetensors(nested(1'000'000, "["), 0), "at most 128 nested"},
        Hostile{"DeepObjects", safetensors(nested(200'000, "{\"a\":"), 0), "at most 128 nested"},
        Hostile{"DuplicateTensor",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                            R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                            2),
                "'a' appears twice"},
        Hostile{"DuplicateByEscape",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                            R"("\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                            2),
                "'a' appears twice"},
        Hostile{
            "DuplicateField",
            safetensors(R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1),
            "'dtype' appears twice"},
        Hostile{"EntryIsANumber", safetensors(R"({"a":7})", 0), "expected an object for 'a'"},
        Hostile{"MetadataNotStrings", safetensors(R"({"__metadata__":{"format":1}})", 0),
                "expected strings in '__metadata__'"},
        Hostile{"NoDtype", safetensors(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1),
                "'dtype'"},
        Hostile{"DtypeIsANumber",
                safetensors(R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,1]}})", 1), "'dtype'"},
        Hostile{"UnknownDtype",
                safetensors(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4),
                "'F31' is not one"},
        Hostile{"ShapeIsAString",
                safetensors(R"({"a":{"dtype":"U8","shape":"1","data_offsets":[0,1]}})", 1),
                "'shape'"},
        Hostile{"NegativeSize",
                safetensors(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1),
                "sizes"},
        Hostile{"FractionalSize",
                safetensors(R"({"a":{"dtype":"U8","shape":[0.5],"data_offsets":[0,1]}})", 1),
                "sizes"},
        Hostile{
            "SizeOfTwoTo64",
            safetensors(
                R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}})", 1),
            "sizes"},
        Hostile{
            "ProductWrapsTo0",
            safetensors(
                R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
            "more bits than"},
        Hostile{
            "ProductWrapsToFit",
            safetensors(
                R"({"a":{"dtype":"U8","shape":[4294967297,4294967296],"data_offsets":[0,4294967296]}})",
                1),
            "more bits than"},
        Hostile{"NotWholeBytes",
                safetensors(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2),
                "whole bytes"},
        Hostile{"NoOffsets", safetensors(R"({"a":{"dtype":"U8","shape":[1]}})", 1),
                "'data_offsets'"},
        Hostile{"OneOffset",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1),
                "'data_offsets'"},
        Hostile{"NegativeOffset",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1),
                "'data_offsets'"},
        Hostile{"BackwardOffsets",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1),
                "leave the 1 bytes"},
        Hostile{"OffsetPastTheData",
                safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
                "leave the 7 bytes"},
        Hostile{"WrongByteCount",
                safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
                "needs 8 bytes"},
        Hostile{"Overlap",
                safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                            R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                            3),
                "overlap"},
        Hostile{"SameBytesTwice",
                safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                            R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                            2),
                "overlap"},
        Hostile{"Hole",
                safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                            R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                            3),
                "hole"},
        Hostile{"BytesLeftOver", safetensors(two32, 9), "end at 8"},
        Hostile{"GitLfs",
                "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n",
                "git lfs pull"}),
    [](const auto &info) { return info.param.name; });

TEST(Safetensors, ReadsTensorsInPlace) {
  TempDir dir;
  std::string path = dir.write(
      "m.safetensors",
      safetensors(
          R"({"__metadata__":{"format":"pt"},)"
          R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
          R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
          R"("none":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[16,16]},)"
          R"("half":{"dtype":"F4","shape":[4],"data_offsets":[16,18]}}   )",
          18));
  ProblemLog log;
  std::unique_ptr<SafetensorsFile> file = SafetensorsFile::open(path, log);
  ASSERT_NE(file, nullptr) << messages(log);
  ASSERT_EQ(file->tensors().size(), 4u);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_TRUE(file->tensors()[0].shape.empty());
  const TensorView *b = file->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::BF16);
  EXPECT_EQ(shapeText(b->shape), "[2, 3]");
  ASSERT_EQ(b->bytes.size(), 12u);
  EXPECT_EQ(b->bytes[0], 4);
  EXPECT_EQ(b->bytes[11], 15);
  EXPECT_EQ(file->find("none")->bytes.size(), 0u);
  EXPECT_EQ(file->find("half")->bytes.size(), 2u);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->metadata().lookup("format"), "pt");
}

TEST(Safetensors, EveryPrefixOfAGoodFileIsRefused) {
  TempDir dir;
  std::string good = safetensors(two32, 8);
  for (size_t length = 0; length != good.size(); ++length) {
    ProblemLog log;
    EXPECT_EQ(SafetensorsFile::open(dir.write("cut.safetensors", good.substr(0, length)), log),
              nullptr)
        << length;
    EXPECT_EQ(log.exitCode(), 2) << length;
  }
}

// Any one byte changed either still gives a consistent file or is refused; under the sanitizers
// this also shows that no field leads outside the mapping.
TEST(Safetensors, EveryByteFlippedIsSafe) {
  TempDir dir;
  std::string good = safetensors(two32, 8);
  for (size_t at = 0; at != 8 + strlen(two32); ++at)
    for (unsigned bit = 0; bit != 8; ++bit) {
      std::string bad = good;
      bad[at] = char(bad[at] ^ (1u << bit));
      ProblemLog log;
      std::unique_ptr<SafetensorsFile> file =
          SafetensorsFile::open(dir.write("flipped.safetensors", bad), log);
      EXPECT_EQ(file == nullptr, log.failed());
      uint64_t sum = 0;
      if (file)
        for (const TensorView &view : file->tensors())
          for (uint8_t byte : view.bytes)
            sum += byte;
      EXPECT_LE(sum, 8u * 255);
    }
}

TEST(Safetensors, ADirectoryIsNotAFile) {
  TempDir dir;
  ProblemLog log;
  EXPECT_EQ(SafetensorsFile::open(dir.dir(), log), nullptr);
  EXPECT_NE(messages(log).find("regular file"), std::string::npos);
}

const char *oneA = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
const char *oneB = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";

TEST(Checkpoint, ReadsShards) {
  TempDir dir;
  dir.write("one.safetensors", safetensors(oneA, 1));
  dir.write("two.safetensors", safetensors(oneB, 1));
  dir.write(
      "model.safetensors.index.json",
      R"({"metadata":{"total_size":2},"weight_map":{"b":"two.safetensors","a":"one.safetensors"}})");
  ProblemLog log;
  std::unique_ptr<Checkpoint> checkpoint = Checkpoint::open(dir.dir(), log);
  ASSERT_NE(checkpoint, nullptr) << messages(log);
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  EXPECT_NE(checkpoint->find("a"), nullptr);
  EXPECT_NE(checkpoint->find("b"), nullptr);
}

struct BadIndex {
  const char *name;
  const char *json;
  const char *message;
};

class HostileIndex : public testing::TestWithParam<BadIndex> {};

TEST_P(HostileIndex, IsRefusedWithAPlace) {
  TempDir dir;
  dir.write("one.safetensors", safetensors(oneA, 1));
  dir.write("model.safetensors.index.json", GetParam().json);
  ProblemLog log;
  EXPECT_EQ(Checkpoint::open(dir.dir(), log), nullptr);
  EXPECT_EQ(log.exitCode(), 2);
  EXPECT_NE(messages(log).find(GetParam().message), std::string::npos) << messages(log);
}

INSTANTIATE_TEST_SUITE_P(
    Checkpoint, HostileIndex,
    testing::Values(
        BadIndex{"Parent", R"({"weight_map":{"a":"../one.safetensors"}})",
                 "model.safetensors.index.json:1:16: error: file name '../one.safetensors' leads "
                 "to another"},
        BadIndex{"Absolute", R"({"weight_map":{"a":"/etc/passwd"}})", "leads to another directory"},
        BadIndex{"Backslash", R"({"weight_map":{"a":"..\\one.safetensors"}})",
                 "leads to another directory"},
        BadIndex{"DotDot", R"({"weight_map":{"a":".."}})", "is not a file name"},
        BadIndex{"ZeroByte", R"({"weight_map":{"a":"one.safetensors\u0000.x"}})",
                 "has a zero byte"},
        BadIndex{"EmptyName", R"({"weight_map":{"a":""}})", "is empty"},
        BadIndex{"OtherFile", R"({"weight_map":{"a":"config.json"}})",
                 "expected a .safetensors file"},
        BadIndex{"NoMap", R"({"metadata":{}})", "expected 'weight_map'"},
        BadIndex{"MapIsAList", R"({"weight_map":[]})", "expected 'weight_map'"},
        BadIndex{"NameIsANumber", R"({"weight_map":{"a":1}})", "expected a file name"},
        BadIndex{"MissingShard", R"({"weight_map":{"a":"absent.safetensors"}})",
                 "is not in the directory"},
        BadIndex{"TensorElsewhere", R"({"weight_map":{"z":"one.safetensors"}})",
                 "'z' is not in 'one.safetensors'"},
        BadIndex{"Twice", R"({"weight_map":{"a":"one.safetensors","a":"one.safetensors"}})",
                 "appears twice"},
        BadIndex{"GitLfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
                 "git lfs pull"}),
    [](const auto &info) { return info.param.name; });

TEST(Checkpoint, PickleOnlyIsRefused) {
  TempDir dir;
  dir.write("pytorch_model.bin", "PK");
  ProblemLog log;
  EXPECT_FALSE(Checkpoint::present(dir.dir()));
  EXPECT_EQ(Checkpoint::open(dir.dir(), log), nullptr);
  EXPECT_NE(messages(log).find("only 'pytorch_model.bin'"), std::string::npos) << messages(log);
}

TEST(Checkpoint, NoWeightsSaysWhatToDo) {
  TempDir dir;
  ProblemLog log;
  EXPECT_EQ(Checkpoint::open(dir.dir(), log), nullptr);
  EXPECT_NE(messages(log).find("--weights=random:SEED"), std::string::npos) << messages(log);
}

} // namespace
