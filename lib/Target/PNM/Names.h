// SPDX-License-Identifier: Apache-2.0
//
// The words of the enumerations, for both directions.
#ifndef SLUICE_LIB_TARGET_PNM_NAMES_H
#define SLUICE_LIB_TARGET_PNM_NAMES_H

#include "sluice/Target/PNM/Program.h"

namespace sluice::pnm {

template <typename Enum>
struct Word {
  Enum value;
  llvm::StringLiteral word;
};

inline constexpr Word<Opcode> kOpcodes[] = {
    {Opcode::Fill, "fill"},
    {Opcode::Dma, "dma"},
    {Opcode::Fence, "fence"},
    {Opcode::Wait, "wait"},
    {Opcode::HostWork, "host_work"},
    {Opcode::HostWait, "host_wait"},
    {Opcode::Token, "token"},
    {Opcode::Gather, "gather"},
    {Opcode::GatherReduce, "gather_reduce"},
    {Opcode::Gemv, "gemv"},
    {Opcode::ClampReduce, "clamp_reduce"},
    {Opcode::ExpertGemv, "expert_gemv"},
    {Opcode::KvAppend, "kv_append"},
    {Opcode::KvCopyPages, "kv_copy_pages"},
    {Opcode::DigestUpdate, "digest_update"},
    {Opcode::SearchTopk, "search_topk"},
    {Opcode::AttnPartial, "attn_partial"},
    {Opcode::MergeStates, "merge_states"},
};
inline constexpr Word<DType> kDTypes[] = {{DType::None, "none"}, {DType::F32, "f32"},
                                          {DType::BF16, "bf16"}, {DType::I8, "i8"},
                                          {DType::I32, "i32"},   {DType::U8, "u8"}};
inline constexpr Word<Tier> kTiers[] = {
    {Tier::Host, "host"}, {Tier::Sram, "sram"}, {Tier::Pnm, "pnm"}, {Tier::Hbf, "hbf"}};
inline constexpr Word<Shard> kShards[] = {{Shard::Replicate, "replicate"},
                                          {Shard::Rows, "rows"},
                                          {Shard::Pages, "pages"},
                                          {Shard::Heads, "heads"},
                                          {Shard::Experts, "experts"}};
inline constexpr Word<Residency> kResidencies[] = {{Residency::Pinned, "pinned"},
                                                   {Residency::Cached, "cached"},
                                                   {Residency::Streamed, "streamed"}};
inline constexpr Word<Mutability> kMutabilities[] = {
    {Mutability::Frozen, "frozen"}, {Mutability::Append, "append"}, {Mutability::ReadWrite, "rw"}};
inline constexpr Word<Layout> kLayouts[] = {
    {Layout::Row, "row"}, {Layout::Hnd, "hnd"}, {Layout::Digest, "digest"}};
inline constexpr Word<Digest> kDigests[] = {
    {Digest::None, "none"}, {Digest::MinMax, "minmax"}, {Digest::CuboidMean, "cuboid_mean"}};
inline constexpr Word<uint8_t> kFlags[] = {{FenceBefore, "fence"},     {SignalsEvent, "event"},
                                           {Base2, "base2"},           {Accumulate, "accumulate"},
                                           {Normalised, "normalised"}, {Broadcast, "broadcast"}};
inline constexpr uint8_t kAllFlags = 0x3f;

template <typename Enum, size_t N>
llvm::StringRef wordOf(const Word<Enum> (&words)[N], Enum value) {
  for (const Word<Enum> &word : words)
    if (word.value == value)
      return word.word;
  return "";
}

template <typename Enum, size_t N>
bool fromWord(const Word<Enum> (&words)[N], llvm::StringRef text, Enum &value) {
  for (const Word<Enum> &word : words)
    if (word.word == text) {
      value = word.value;
      return true;
    }
  return false;
}

template <typename Enum, size_t N>
std::string listOf(const Word<Enum> (&words)[N]) {
  std::string list;
  for (const Word<Enum> &word : words)
    list += (list.empty() ? "" : ", ") + word.word.str();
  return list;
}

/// What a memory may be called: 1 to 31 letters, digits, '_' and '.', no digit first.
bool isName(llvm::StringRef name);

} // namespace sluice::pnm

#endif
