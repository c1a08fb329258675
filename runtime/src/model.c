/* SPDX-License-Identifier: Apache-2.0
 *
 * model.c: puts an artefact's members together: manifest, code, weights mapped or generated.
 */
#include "model.h"
#include "generate.h"
#include "library.h"
#include "machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void remark(const sluice_model_t *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void remark(const sluice_model_t *model, const char *format, ...) {
  char message[256];
  if (!model->log.write)
    return;
  va_list list;
  va_start(list, format);
  vsnprintf(message, sizeof message, format, list);
  va_end(list);
  model->log.write(model->log.self, SLUICE_LOG_REMARK, message);
}

/* |path|/|member| in memory of the model's allocator. */
static sluice_status_t join(const sluice_model_t *model, const char *member, char **out,
                            size_t *out_size) {
  *out_size = model->path_size + strlen(member) + 1;
  SLUICE_TRY(sluice_allocate(&model->allocator, *out_size, 1, out));
  snprintf(*out, *out_size, "%s/%s", model->path, member);
  return SLUICE_STATUS_OK;
}

static sluice_status_t open_code(sluice_model_t *model) {
  char *path;
  size_t size;
  SLUICE_TRY(sluice_library_check_target(&model->manifest));
  SLUICE_TRY(sluice_allocate(&model->allocator, (size_t)model->manifest.info.function_count,
                             sizeof *model->entries, &model->entries));
  SLUICE_TRY(join(model, model->manifest.library, &path, &size));
  sluice_status_t status =
      sluice_library_open(&model->manifest, path, &model->library, model->entries);
  sluice_free(&model->allocator, path, size, 1);
  return status;
}

static sluice_status_t map_weights(sluice_model_t *model) {
  const sluice_manifest_t *m = &model->manifest;
  char *path;
  size_t size;
  int64_t stored = 0;
  for (int32_t i = 0; i < m->info.weight_count; ++i)
    stored += !m->weights[i].info.generated && !m->weights[i].in_file;
  if (stored == 0)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(join(model, m->info.weight_file, &path, &size));
  sluice_status_t status = sluice_tensors_open(&model->allocator, path, &model->tensors);
  sluice_free(&model->allocator, path, size, 1);
  if (status == SLUICE_STATUS_NOT_FOUND)
    status = sluice_fail_in(SLUICE_STATUS_BAD_ARTEFACT, "the artefact's weights are missing");
  SLUICE_TRY(status);
  for (int32_t i = 0; i < m->info.weight_count; ++i) {
    const sluice_weight_info_t *info = &m->weights[i].info;
    if (info->generated || m->weights[i].in_file)
      continue;
    const sluice_tensor_t *tensor = sluice_tensors_find(&model->tensors, info->name);
    if (!tensor)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s lacks the tensor \"%s\", which the manifest lists as weights[%d]",
                         model->tensors.path, info->name, i);
    if (strcmp(tensor->dtype, "U8") != 0 || tensor->rank != 1 ||
        tensor->end - tensor->begin != info->bytes)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s: tensor \"%s\" is %s of rank %d with %lld bytes, expected U8 of shape "
                         "[%lld] by the manifest",
                         model->tensors.path, info->name, tensor->dtype, tensor->rank,
                         (long long)(tensor->end - tensor->begin), (long long)info->bytes);
    if (tensor->begin % SLUICE_ALIGN != 0)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s: tensor \"%s\" starts at byte %lld, expected a multiple of %d",
                         model->tensors.path, info->name, (long long)tensor->begin, SLUICE_ALIGN);
    model->data[i] = (uint8_t *)(uintptr_t)tensor->data;
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t generate_weights(sluice_model_t *model, int32_t threads) {
  const sluice_manifest_t *m = &model->manifest;
  for (int32_t i = 0; i < m->info.weight_count; ++i)
    if (m->weights[i].info.generated)
      model->generated_bytes += m->weights[i].info.bytes;
  if (model->generated_bytes == 0)
    return SLUICE_STATUS_OK;
  SLUICE_TRY(sluice_map_anonymous(model->generated_bytes, "generated weights", &model->generated));
  int64_t at = 0;
  for (int32_t i = 0; i < m->info.weight_count; ++i)
    if (m->weights[i].info.generated) {
      model->data[i] = model->generated + at;
      at += m->weights[i].info.bytes;
    }
  remark(model, "making %lld bytes of weights from a seed", (long long)model->generated_bytes);
  SLUICE_TRY(sluice_generate(&model->allocator, m->weights, m->info.weight_count, model->data,
                             threads > 0 ? threads : sluice_machine_cores(), SLUICE_GENERATE_BEST));
  if (mprotect(model->generated, (size_t)model->generated_bytes, PROT_READ) != 0)
    return sluice_fail(SLUICE_STATUS_SYSTEM, "cannot make the generated weights read-only: %s",
                       strerror(errno));
  return SLUICE_STATUS_OK;
}

static sluice_status_t load(sluice_model_t *model, const char *path,
                            const sluice_model_options_t *options) {
  model->path_size = strlen(path) + 1;
  SLUICE_TRY(sluice_allocate(&model->allocator, model->path_size, 1, &model->path));
  memcpy(model->path, path, model->path_size);
  SLUICE_TRY(sluice_manifest_read(&model->allocator, path, options->variant, &model->manifest));
  model->manifest.info.path = model->path;
  model->metadata_only = options->metadata_only;
  if (options->metadata_only)
    return SLUICE_STATUS_OK;
  const sluice_manifest_t *m = &model->manifest;
  const size_t weights = (size_t)m->info.weight_count;
  SLUICE_TRY(sluice_allocate(&model->allocator, weights, sizeof *model->data, &model->data));
  SLUICE_TRY(sluice_allocate(&model->allocator, weights, sizeof *model->weights, &model->weights));
  // Cheap checks first; code is opened when the rest was found good, because opening it runs it.
  SLUICE_TRY(sluice_library_check_target(m));
  if (m->info.variant_count > 1)
    remark(model, "takes variant %d of %d, for %s", m->info.variant + 1, m->info.variant_count,
           m->info.cpu);
  SLUICE_TRY(map_weights(model));
  SLUICE_TRY(open_code(model));
  SLUICE_TRY(generate_weights(model, options->threads));
  for (size_t i = 0; i < weights; ++i)
    model->weights[i] = m->weights[i].remote ? NULL : model->data[i];
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_model_load(const char *path, const sluice_model_options_t *options,
                                  sluice_model_t **out_model) {
  static const sluice_model_options_t defaults;
  if (!path || !out_model)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "sluice_model_load: path and out_model must not be NULL");
  if (!options)
    options = &defaults;
  if (options->threads < 0)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "sluice_model_load: threads is %d, expected 0 or more", options->threads);
  sluice_allocator_t allocator = sluice_allocator_or_default(options->allocator);
  sluice_model_t *model;
  SLUICE_TRY(sluice_allocate(&allocator, 1, sizeof *model, &model));
  model->allocator = allocator;
  model->log = options->log;
  sluice_status_t status = load(model, path, options);
  if (status == SLUICE_STATUS_OK)
    *out_model = model;
  else
    sluice_model_release(model);
  return status;
}

void sluice_model_release(sluice_model_t *model) {
  if (!model)
    return;
  sluice_allocator_t allocator = model->allocator;
  sluice_library_close(model->library);
  sluice_unmap(model->generated, model->generated_bytes);
  sluice_tensors_close(&model->tensors);
  const size_t weights = (size_t)model->manifest.info.weight_count;
  sluice_free(&allocator, model->data, weights, sizeof *model->data);
  sluice_free(&allocator, model->weights, weights, sizeof *model->weights);
  sluice_free(&allocator, model->entries, (size_t)model->manifest.info.function_count,
              sizeof *model->entries);
  if (model->manifest.file)
    sluice_manifest_free(&model->manifest);
  sluice_free(&allocator, model->path, model->path_size, 1);
  sluice_free(&allocator, model, 1, sizeof *model);
}

const sluice_model_info_t *sluice_model_info(const sluice_model_t *model) {
  return model ? &model->manifest.info : NULL;
}

const sluice_function_info_t *sluice_model_function(const sluice_model_t *model, const char *name) {
  for (int32_t i = 0; model && name && i < model->manifest.info.function_count; ++i)
    if (strcmp(model->manifest.functions[i].name, name) == 0)
      return &model->manifest.functions[i];
  return NULL;
}

const void *sluice_model_weight_data(const sluice_model_t *model, int32_t index) {
  return model && model->data && index >= 0 && index < model->manifest.info.weight_count
             ? model->data[index]
             : NULL;
}

size_t sluice_dtype_bytes(sluice_dtype_t dtype) {
  static const uint8_t bytes[] = {4, 2, 2, 1, 1, 2, 4, 8};
  return (unsigned)dtype < sizeof bytes ? bytes[dtype] : 0;
}

const char *sluice_dtype_name(sluice_dtype_t dtype) {
  static const char *const names[] = {"f32", "bf16", "f16", "i8", "u8", "i16", "i32", "i64"};
  return (unsigned)dtype < sizeof names / sizeof names[0] ? names[dtype] : "?";
}
