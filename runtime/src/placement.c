/* SPDX-License-Identifier: Apache-2.0
 *
 * placement.c: which core a worker runs on, and which memory node holds what it reads. Every worker
 * does its own part, inside one run of the team, so that first touch is the reader's.
 */
#define _GNU_SOURCE 1
#include "machine.h"
#include "session.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's numbers (linux/mempolicy.h), which older C libraries do not name. */
enum { POLICY_PREFERRED = 1, POLICY_INTERLEAVE = 3, MOVE_PAGES = 1 << 1 };
enum { NODES_MOST = 1024, WORD_BITS = 64 };

typedef struct nodes {
  unsigned long bits[NODES_MOST / WORD_BITS];
} nodes_t;

/* A placement under way; the call record comes first, because that is what workers get. */
typedef struct placing {
  sluice_call_t call;
  const sluice_session_t *session;
  const sluice_placement_t *wanted;
  nodes_t allowed;
  atomic_int failure; /* errno of the first failure; 0: none */
  atomic_int failed;  /* worker of it */
} placing_t;

static void fail_with(placing_t *p, int32_t me, int reason) {
  int none = 0;
  if (atomic_compare_exchange_strong(&p->failure, &none, reason))
    atomic_store(&p->failed, me);
}

/* Asks the kernel to keep [begin, end) by |policy|, and to move what lies elsewhere. */
static int bind_memory(const uint8_t *begin, const uint8_t *end, int policy, const nodes_t *nodes) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t first = (uintptr_t)begin / page * page,
            last = ((uintptr_t)end + page - 1) / page * page;
  if (first >= last || syscall(SYS_mbind, first, last - first, policy, nodes->bits,
                               (unsigned long)NODES_MOST + 1, MOVE_PAGES) == 0)
    return 0;
  // A kernel without NUMA has one node, which is where everything is already.
  return errno == ENOSYS ? 0 : errno;
}

/* Reads a byte of each page of [begin, end): a page that is nowhere yet comes to the reader. */
static void touch_read(const uint8_t *begin, const uint8_t *end) {
  int64_t page = sysconf(_SC_PAGESIZE);
  for (const volatile uint8_t *at = begin; at < end; at += page)
    (void)*at;
}

/* The same for scratch, whose pages are only had by writing. */
static void touch_write(uint8_t *begin, const uint8_t *end) {
  int64_t page = sysconf(_SC_PAGESIZE);
  for (volatile uint8_t *at = begin; at < end; at += page)
    *at = *at;
}

/* Worker |me|'s part of |count| items, as compiled code divides them. */
static int64_t share(int64_t count, int32_t me, int32_t workers) { return count * me / workers; }

static int place_weights(placing_t *p, const nodes_t *mine, int32_t me, int32_t workers) {
  const sluice_model_t *model = p->session->model;
  for (int32_t i = 0; i < model->manifest.info.weight_count; ++i) {
    const sluice_weight_t *w = &model->manifest.weights[i];
    const uint8_t *data = model->data[i];
    if (!data || !w->info.panel)
      continue;
    int64_t panels = sluice_ceil_div(w->rows, SLUICE_TILE_SLOTS);
    for (int64_t b = 0; b < w->blocks; ++b) {
      const uint8_t *block = data + b * w->info.stride;
      const uint8_t *begin = block + share(panels, me, workers) * (w->block_bytes / panels);
      const uint8_t *end = block + share(panels, me + 1, workers) * (w->block_bytes / panels);
      int reason = p->wanted->numa == SLUICE_NUMA_LOCAL
                       ? bind_memory(begin, end, POLICY_PREFERRED, mine)
                       : 0;
      if (reason)
        return reason;
      touch_read(begin, end);
    }
  }
  return 0;
}

static void place_worker(sluice_call_t *call, int32_t me, int32_t workers) {
  placing_t *p = (placing_t *)call;
  const sluice_session_t *s = p->session;
  if (p->wanted->cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)p->wanted->cpus[me], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
      fail_with(p, me, errno);
      return;
    }
  }
  if (p->wanted->numa == SLUICE_NUMA_NONE)
    return;
  nodes_t mine = {{0}};
  unsigned cpu = 0, node = 0;
  if (syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && node < NODES_MOST)
    mine.bits[node / WORD_BITS] |= 1ul << node % WORD_BITS;
  int reason = 0;
  if (p->wanted->numa == SLUICE_NUMA_LOCAL) {
    uint8_t *begin = s->arena + share(s->arena_bytes / 4096, me, workers) * 4096;
    uint8_t *end = me + 1 == workers
                       ? s->arena + s->arena_bytes
                       : s->arena + share(s->arena_bytes / 4096, me + 1, workers) * 4096;
    reason = bind_memory(begin, end, POLICY_PREFERRED, &mine);
    if (!reason)
      touch_write(begin, end);
  }
  if (!reason)
    reason = place_weights(p, &mine, me, workers);
  if (reason)
    fail_with(p, me, reason);
}

/* Spreads everything over all nodes, page by page. Once, by the calling thread. */
static int interleave(placing_t *p) {
  const sluice_session_t *s = p->session;
  const sluice_model_t *model = s->model;
  int reason = bind_memory(s->arena, s->arena + s->arena_bytes, POLICY_INTERLEAVE, &p->allowed);
  for (int32_t i = 0; !reason && i < model->manifest.info.weight_count; ++i)
    if (model->data[i])
      reason = bind_memory(model->data[i], model->data[i] + model->manifest.weights[i].info.bytes,
                           POLICY_INTERLEAVE, &p->allowed);
  return reason;
}

static sluice_status_t check_cpus(const sluice_placement_t *wanted, int32_t workers) {
  cpu_set_t allowed, seen;
  CPU_ZERO(&seen);
  if (!wanted->cpus)
    return SLUICE_STATUS_OK;
  if (wanted->cpu_count != workers)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "%d processors given for %d workers, expected one for each",
                       wanted->cpu_count, workers);
  bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  for (int32_t i = 0; i < workers; ++i) {
    int32_t cpu = wanted->cpus[i];
    if (cpu < 0 || cpu >= CPU_SETSIZE || (known && !CPU_ISSET((size_t)cpu, &allowed)))
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "processor %d is not among the %d that this process may use", cpu,
                         sluice_machine_cores());
    if (CPU_ISSET((size_t)cpu, &seen))
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "processor %d is given to two workers, which would wait for each other",
                         cpu);
    CPU_SET((size_t)cpu, &seen);
  }
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_session_place(sluice_session_t *s, const sluice_placement_t *wanted) {
  if (!s || !wanted)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "sluice_session_place: session and placement must not be NULL");
  if (wanted->size != sizeof *wanted)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "sluice_placement_t has size %zu, this runtime knows %zu", wanted->size,
                       sizeof *wanted);
  if (wanted->numa < SLUICE_NUMA_NONE || wanted->numa > SLUICE_NUMA_INTERLEAVE)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT, "numa is %d, expected a sluice_numa_t",
                       (int)wanted->numa);
  SLUICE_TRY(check_cpus(wanted, sluice_team_workers(s->team)));
  if (!sluice_team_is_here(s->team))
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "the session's workers are in the process that made it, not in this fork");
  placing_t p = {.session = s, .wanted = wanted};
  p.call = s->call;
  // Nodes that this process may have memory on (MPOL_F_MEMS_ALLOWED).
  if (syscall(SYS_get_mempolicy, NULL, p.allowed.bits, (unsigned long)NODES_MOST, NULL, 1 << 2) !=
      0)
    p.allowed.bits[0] = 1;
  if (wanted->numa == SLUICE_NUMA_INTERLEAVE) {
    int reason = interleave(&p);
    if (reason)
      fail_with(&p, 0, reason);
  }
  if (!atomic_load(&p.failure))
    sluice_team_run(s->team, place_worker, &p.call, /*may_leave=*/false);
  int reason = atomic_load(&p.failure);
  if (reason)
    return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot place worker %d: %s", atomic_load(&p.failed),
                       strerror(reason));
  return SLUICE_STATUS_OK;
}

int32_t sluice_allowed_cpus(int32_t *out, int32_t capacity) {
  cpu_set_t allowed;
  int32_t count = 0;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return -1;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET((size_t)cpu, &allowed)) {
      if (count < capacity)
        out[count] = cpu;
      ++count;
    }
  return count;
}
