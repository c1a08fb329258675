/* SPDX-License-Identifier: Apache-2.0
 *
 * home.c: the runtime's own home of asynchronous gathers: a helper thread that copies rows out of
 * tables in memory or in mapped files, or reads them from files. Requests stand in a ring of fixed
 * size, so neither submit nor await allocates.
 */
#define _GNU_SOURCE 1
#include "home.h"
#include "gate.h"
#include "machine.h"
#include "table_file.h"
#include "thread.h"

#include <string.h>

enum { RING = 64, SPINS = 200 };

typedef enum state { FREE, CLAIMED, READY, DONE } state_t;

typedef struct request {
  _Alignas(SLUICE_ALIGN) atomic_int state; /* state_t */
  int32_t table;
  int32_t result; /* sluice_trap_code_t */
  const int32_t *ids;
  int64_t count, row_bytes, dest_stride;
  uint8_t *dest;
} request_t;

typedef struct service {
  sluice_home_t home; /* first, so that a home is its service */
  sluice_allocator_t allocator;
  const sluice_home_table_t *tables; /* [table_count] own copy */
  sluice_home_table_t *copy;
  sluice_table_file_t *files; /* [table_count] fd -1 where a table is in memory */
  sluice_row_index_t *index;  /* NULL when no table is in a file */
  int32_t table_count;
  bool new_problem; /* |problem| is of the requests since it was asked for */
  char problem[160];
  atomic_bool stop;
  pthread_t helper;
  sluice_witness_t witness;
  atomic_llong head;       /* next token */
  sluice_gate_t submitted; /* moved when a request is ready, and to stop */
  sluice_gate_t completed; /* moved when a request is done */
  request_t ring[RING];
} service_t;

static int32_t serve(service_t *service, const request_t *request) {
  const sluice_home_table_t *table = &service->tables[request->table];
  const sluice_table_file_t *file = &service->files[request->table];
  if (file->fd >= 0) {
    char problem[sizeof service->problem] = "";
    int32_t result = sluice_table_file_gather(
        file, service->index, request->ids, request->count, table->rows, request->row_bytes,
        table->stride, request->dest, request->dest_stride, problem, sizeof problem);
    // The first one stays: what follows is often its consequence.
    if (result == SLUICE_TRAP_TABLE && !service->new_problem) {
      memcpy(service->problem, problem, sizeof problem);
      service->new_problem = true;
    }
    return result;
  }
  for (int64_t i = 0; i < request->count; ++i) {
    int64_t row = request->ids[i];
    if (row < 0 || row >= table->rows)
      return SLUICE_TRAP_ID;
    memcpy(request->dest + i * request->dest_stride,
           (const uint8_t *)table->data + row * table->stride, (size_t)request->row_bytes);
  }
  return SLUICE_TRAP_NONE;
}

static void *helper_main(void *argument) {
  service_t *service = argument;
  for (int64_t token = 0;; ++token) {
    request_t *request = &service->ring[token % RING];
    for (;;) {
      unsigned seen = atomic_load(&service->submitted.value);
      if (atomic_load(&service->stop))
        return NULL;
      if (atomic_load_explicit(&request->state, memory_order_acquire) == READY)
        break;
      sluice_gate_wait(&service->submitted, seen, SPINS);
    }
    request->result = serve(service, request);
    atomic_store_explicit(&request->state, DONE, memory_order_release);
    sluice_gate_open(&service->completed);
  }
}

static int64_t submit(void *self, int32_t table, const int32_t *ids, int64_t count,
                      int64_t row_bytes, uint8_t *dest, int64_t dest_stride) {
  service_t *service = self;
  if (table < 0 || table >= service->table_count || count < 0 ||
      row_bytes != service->tables[table].row_bytes || !sluice_witness_is_here(&service->witness))
    return -1;
  long long token = atomic_load(&service->head);
  request_t *request;
  do {
    request = &service->ring[token % RING];
    if (atomic_load_explicit(&request->state, memory_order_acquire) != FREE)
      return -1;
  } while (!atomic_compare_exchange_weak(&service->head, &token, token + 1));
  request->table = table;
  request->ids = ids;
  request->count = count;
  request->row_bytes = row_bytes;
  request->dest = dest;
  request->dest_stride = dest_stride;
  atomic_store_explicit(&request->state, READY, memory_order_release);
  sluice_gate_open(&service->submitted);
  return token;
}

static void wait_until_done(service_t *service, const request_t *request) {
  for (;;) {
    unsigned seen = atomic_load(&service->completed.value);
    if (atomic_load_explicit(&request->state, memory_order_acquire) == DONE)
      return;
    sluice_gate_wait(&service->completed, seen, SPINS);
  }
}

static int32_t await(void *self, int64_t token) {
  service_t *service = self;
  request_t *request = &service->ring[token % RING];
  wait_until_done(service, request);
  int32_t result = request->result;
  atomic_store_explicit(&request->state, FREE, memory_order_release);
  return result;
}

void sluice_home_drain(sluice_home_t *home) {
  service_t *service = home->self;
  for (int i = 0; i < RING; ++i) {
    request_t *request = &service->ring[i];
    if (atomic_load_explicit(&request->state, memory_order_acquire) == FREE)
      continue;
    wait_until_done(service, request);
    atomic_store_explicit(&request->state, FREE, memory_order_release);
  }
}

const char *sluice_home_problem(sluice_home_t *home) {
  service_t *service = home->self;
  bool found = service->new_problem;
  service->new_problem = false;
  return found ? service->problem : "";
}

static void destroy(service_t *service) {
  sluice_allocator_t allocator = service->allocator;
  for (int32_t i = 0; service->files && i < service->table_count; ++i)
    sluice_table_file_close(&service->files[i]);
  sluice_free(&allocator, service->files, (size_t)service->table_count, sizeof *service->files);
  if (service->index)
    sluice_row_index_release(&allocator, service->index);
  sluice_witness_release(&service->witness);
  sluice_free(&allocator, service->copy, (size_t)service->table_count, sizeof *service->copy);
  sluice_free(&allocator, service, 1, sizeof *service);
}

/* Copies |tables| and opens their files. */
static sluice_status_t take_tables(service_t *service, const sluice_home_table_t *tables,
                                   int32_t count) {
  const sluice_allocator_t *a = &service->allocator;
  SLUICE_TRY(sluice_allocate(a, (size_t)count, sizeof *service->copy, &service->copy));
  service->table_count = count;
  service->tables = service->copy;
  SLUICE_TRY(sluice_allocate(a, (size_t)count, sizeof *service->files, &service->files));
  for (int32_t i = 0; i < count; ++i) {
    service->copy[i] = tables[i];
    service->files[i].fd = -1;
  }
  for (int32_t i = 0; i < count; ++i) {
    const sluice_home_table_t *table = &tables[i];
    int64_t bytes;
    if (table->data || table->rows == 0)
      continue;
    if (!service->index)
      SLUICE_TRY(sluice_row_index_create(a, &service->index));
    if (!sluice_mul(table->rows - 1, table->stride, &bytes) ||
        !sluice_add(bytes, table->row_bytes, &bytes))
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "table %d of a home: its rows are more than 2^63 bytes", i);
    SLUICE_TRY(sluice_table_file_open(table->path, table->offset, bytes, &service->files[i]));
  }
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_home_create(const sluice_allocator_t *allocator,
                                   const sluice_home_table_t *tables, int32_t count,
                                   sluice_home_t **out_home) {
  sluice_allocator_t own =
      sluice_allocator_or_default(allocator ? *allocator : (sluice_allocator_t){0});
  service_t *service;
  if (count < 0 || (count > 0 && !tables) || !out_home)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "a home of %d tables, expected an array of 0 or more and a place for it",
                       count);
  for (int32_t i = 0; i < count; ++i)
    if (tables[i].rows < 0 || tables[i].row_bytes < 0 || tables[i].stride < tables[i].row_bytes ||
        (tables[i].rows > 0 && !tables[i].data && !tables[i].path) || tables[i].offset < 0)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "table %d of a home: expected rows, in memory or in a file, and a stride "
                         "of at least a row",
                         i);
  SLUICE_TRY(sluice_allocate(&own, 1, sizeof *service, &service));
  service->allocator = own;
  sluice_status_t status = take_tables(service, tables, count);
  if (status != SLUICE_STATUS_OK) {
    destroy(service);
    return status;
  }
  service->home = (sluice_home_t){service, submit, await};
  status = sluice_witness_create(&service->witness);
  int error =
      status == SLUICE_STATUS_OK ? sluice_thread_start(&service->helper, helper_main, service) : 0;
  if (error != 0)
    status =
        sluice_fail(SLUICE_STATUS_SYSTEM, "cannot start the thread of a home: %s", strerror(error));
  if (status == SLUICE_STATUS_OK)
    *out_home = &service->home;
  else
    destroy(service);
  return status;
}

void sluice_home_release(sluice_home_t *home) {
  if (!home)
    return;
  service_t *service = home->self;
  atomic_store(&service->stop, true);
  sluice_gate_open(&service->submitted);
  if (sluice_witness_is_here(&service->witness))
    pthread_join(service->helper, NULL);
  destroy(service);
}
