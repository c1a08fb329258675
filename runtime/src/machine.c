/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.c: instruction-set features by asking the processor (cpuid) and the operating system
 * (xgetbv, hwcap).
 */
#define _GNU_SOURCE 1
#include "machine.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int32_t sluice_machine_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  // More processors than a cpu_set_t has bits, or no such call: the online ones are the best answer
  // left.
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online < 1 << 20 ? (int32_t)online : 1;
}

#if defined(__x86_64__)
#include <cpuid.h>

const char *sluice_machine_arch(void) { return "x86_64"; }

enum { EAX, EBX, ECX, EDX };
/* Registers that the operating system must save for a feature to be usable. */
enum { STATE_NONE, STATE_AVX = 0x6, STATE_AVX512 = 0xe6, STATE_AMX = 0x60000 };

static const struct {
  const char *name;
  uint32_t leaf, subleaf;
  uint8_t reg, bit;
  uint32_t state;
} features[] = {
    {"sse3", 1, 0, ECX, 0, STATE_NONE},
    {"pclmul", 1, 0, ECX, 1, STATE_NONE},
    {"ssse3", 1, 0, ECX, 9, STATE_NONE},
    {"fma", 1, 0, ECX, 12, STATE_AVX},
    {"cx16", 1, 0, ECX, 13, STATE_NONE},
    {"sse4.1", 1, 0, ECX, 19, STATE_NONE},
    {"sse4.2", 1, 0, ECX, 20, STATE_NONE},
    {"crc32", 1, 0, ECX, 20, STATE_NONE},
    {"movbe", 1, 0, ECX, 22, STATE_NONE},
    {"popcnt", 1, 0, ECX, 23, STATE_NONE},
    {"aes", 1, 0, ECX, 25, STATE_NONE},
    {"xsave", 1, 0, ECX, 27, STATE_NONE},
    {"avx", 1, 0, ECX, 28, STATE_AVX},
    {"f16c", 1, 0, ECX, 29, STATE_AVX},
    {"rdrnd", 1, 0, ECX, 30, STATE_NONE},
    {"x87", 1, 0, EDX, 0, STATE_NONE},
    {"cx8", 1, 0, EDX, 8, STATE_NONE},
    {"cmov", 1, 0, EDX, 15, STATE_NONE},
    {"mmx", 1, 0, EDX, 23, STATE_NONE},
    {"fxsr", 1, 0, EDX, 24, STATE_NONE},
    {"sse", 1, 0, EDX, 25, STATE_NONE},
    {"sse2", 1, 0, EDX, 26, STATE_NONE},
    {"fsgsbase", 7, 0, EBX, 0, STATE_NONE},
    {"bmi", 7, 0, EBX, 3, STATE_NONE},
    {"avx2", 7, 0, EBX, 5, STATE_AVX},
    {"bmi2", 7, 0, EBX, 8, STATE_NONE},
    {"invpcid", 7, 0, EBX, 10, STATE_NONE},
    {"rtm", 7, 0, EBX, 11, STATE_NONE},
    {"avx512f", 7, 0, EBX, 16, STATE_AVX512},
    {"evex512", 7, 0, EBX, 16, STATE_AVX512},
    {"avx512dq", 7, 0, EBX, 17, STATE_AVX512},
    {"rdseed", 7, 0, EBX, 18, STATE_NONE},
    {"adx", 7, 0, EBX, 19, STATE_NONE},
    {"avx512ifma", 7, 0, EBX, 21, STATE_AVX512},
    {"clflushopt", 7, 0, EBX, 23, STATE_NONE},
    {"clwb", 7, 0, EBX, 24, STATE_NONE},
    {"avx512cd", 7, 0, EBX, 28, STATE_AVX512},
    {"sha", 7, 0, EBX, 29, STATE_NONE},
    {"avx512bw", 7, 0, EBX, 30, STATE_AVX512},
    {"avx512vl", 7, 0, EBX, 31, STATE_AVX512},
    {"avx512vbmi", 7, 0, ECX, 1, STATE_AVX512},
    {"pku", 7, 0, ECX, 4, STATE_NONE},
    {"waitpkg", 7, 0, ECX, 5, STATE_NONE},
    {"avx512vbmi2", 7, 0, ECX, 6, STATE_AVX512},
    {"shstk", 7, 0, ECX, 7, STATE_NONE},
    {"gfni", 7, 0, ECX, 8, STATE_NONE},
    {"vaes", 7, 0, ECX, 9, STATE_AVX},
    {"vpclmulqdq", 7, 0, ECX, 10, STATE_AVX},
    {"avx512vnni", 7, 0, ECX, 11, STATE_AVX512},
    {"avx512bitalg", 7, 0, ECX, 12, STATE_AVX512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, STATE_AVX512},
    {"rdpid", 7, 0, ECX, 22, STATE_NONE},
    {"cldemote", 7, 0, ECX, 25, STATE_NONE},
    {"movdiri", 7, 0, ECX, 27, STATE_NONE},
    {"movdir64b", 7, 0, ECX, 28, STATE_NONE},
    {"enqcmd", 7, 0, ECX, 29, STATE_NONE},
    {"uintr", 7, 0, EDX, 5, STATE_NONE},
    {"avx512vp2intersect", 7, 0, EDX, 8, STATE_AVX512},
    {"serialize", 7, 0, EDX, 14, STATE_NONE},
    {"tsxldtrk", 7, 0, EDX, 16, STATE_NONE},
    {"pconfig", 7, 0, EDX, 18, STATE_NONE},
    {"amx-bf16", 7, 0, EDX, 22, STATE_AMX},
    {"avx512fp16", 7, 0, EDX, 23, STATE_AVX512},
    {"amx-tile", 7, 0, EDX, 24, STATE_AMX},
    {"amx-int8", 7, 0, EDX, 25, STATE_AMX},
    {"avxvnni", 7, 1, EAX, 4, STATE_AVX},
    {"avx512bf16", 7, 1, EAX, 5, STATE_AVX512},
    {"cmpccxadd", 7, 1, EAX, 7, STATE_NONE},
    {"amx-fp16", 7, 1, EAX, 21, STATE_AMX},
    {"avxifma", 7, 1, EAX, 23, STATE_AVX},
    {"avxvnniint8", 7, 1, EDX, 4, STATE_AVX},
    {"avxneconvert", 7, 1, EDX, 5, STATE_AVX},
    {"avxvnniint16", 7, 1, EDX, 10, STATE_AVX},
    {"prefetchi", 7, 1, EDX, 14, STATE_NONE},
    {"xsaveopt", 0xd, 1, EAX, 0, STATE_NONE},
    {"xsavec", 0xd, 1, EAX, 1, STATE_NONE},
    {"xsaves", 0xd, 1, EAX, 3, STATE_NONE},
    {"ptwrite", 0x14, 0, EBX, 4, STATE_NONE},
    {"sahf", 0x80000001, 0, ECX, 0, STATE_NONE},
    {"lzcnt", 0x80000001, 0, ECX, 5, STATE_NONE},
    {"sse4a", 0x80000001, 0, ECX, 6, STATE_NONE},
    {"prfchw", 0x80000001, 0, ECX, 8, STATE_NONE},
    {"mwaitx", 0x80000001, 0, ECX, 29, STATE_NONE},
    {"64bit", 0x80000001, 0, EDX, 29, STATE_NONE},
    {"clzero", 0x80000008, 0, EBX, 0, STATE_NONE},
    {"rdpru", 0x80000008, 0, EBX, 4, STATE_NONE},
    {"wbnoinvd", 0x80000008, 0, EBX, 9, STATE_NONE},
};

static uint64_t saved_state(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

sluice_has_t sluice_machine_feature(const char *feature) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; ++i) {
    if (strcmp(features[i].name, feature) != 0)
      continue;
    uint32_t regs[4];
    if (!__get_cpuid_count(features[i].leaf, features[i].subleaf, &regs[EAX], &regs[EBX],
                           &regs[ECX], &regs[EDX]))
      return SLUICE_HAS_NOT;
    bool bit = regs[features[i].reg] >> features[i].bit & 1;
    uint64_t state = features[i].state;
    return bit && (state == 0 || (saved_state() & state) == state) ? SLUICE_HAS : SLUICE_HAS_NOT;
  }
  return SLUICE_HAS_UNKNOWN;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

const char *sluice_machine_arch(void) { return "aarch64"; }

/* Bits of AT_HWCAP and AT_HWCAP2 by their kernel ABI numbers, so that old system headers do. */
static const struct {
  const char *name;
  int word, bit;
} features[] = {
    {"fp-armv8", 1, 0}, {"neon", 1, 1},     {"aes", 1, 3},      {"sha2", 1, 6},     {"crc", 1, 7},
    {"lse", 1, 8},      {"fullfp16", 1, 9}, {"dotprod", 1, 20}, {"fp16fml", 1, 23}, {"sve", 1, 22},
    {"sve2", 2, 1},     {"i8mm", 2, 13},    {"bf16", 2, 14},
};

sluice_has_t sluice_machine_feature(const char *feature) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; ++i)
    if (strcmp(features[i].name, feature) == 0)
      return getauxval(features[i].word == 1 ? AT_HWCAP : AT_HWCAP2) >> features[i].bit & 1
                 ? SLUICE_HAS
                 : SLUICE_HAS_NOT;
  return SLUICE_HAS_UNKNOWN;
}
#else
#error "the runtime knows x86_64 and aarch64"
#endif
