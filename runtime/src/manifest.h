/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.h: manifest.json as structs, after every field has been checked (docs/Contracts.md,
 * section 6).
 */
#ifndef SLUICE_RT_MANIFEST_H
#define SLUICE_RT_MANIFEST_H

#include "json.h"

/* Functions of an artefact and arguments of one, at most (docs/Limits.md). */
enum { SLUICE_FUNCTIONS_MAX = 1024, SLUICE_ARGS_MAX = 256 };

/* What a generated weight is for: it decides the distribution. */
typedef enum sluice_role {
  SLUICE_ROLE_WEIGHT,
  SLUICE_ROLE_TABLE,
  SLUICE_ROLE_SCALE,
  SLUICE_ROLE_BIAS,
} sluice_role_t;

/* A tensor of the checkpoint that a packed weight is made of; several stand one under another. */
typedef struct sluice_source {
  const char *name; /* "{}" stands for the number of the layer, then for that of the expert */
  int64_t rows;
} sluice_source_t;

/* How many "{}" its name has. */
int sluice_source_marks(const sluice_source_t *source);

/* A packed weight: |blocks| blocks of |rows| x |columns|, |stride| bytes apart. */
typedef struct sluice_weight {
  sluice_weight_info_t info;
  int64_t blocks;  /* layers (info.stack, or 1) times experts */
  int64_t experts; /* blocks of a layer; 0: the layer is a block */
  const int64_t
      *layers; /* [info.stack] the checkpoint's numbers of the layers; NULL: 0, 1, 2, ... */
  int64_t rows, columns; /* of a block; row-major tensors of rank 1 have one column per row */
  int64_t block_bytes;   /* used bytes of a block */
  int64_t fan_in;        /* the logical shape's last size */
  uint64_t seed;
  sluice_role_t role;
  bool alternating; /* rows of sources take turns: 0, 2, 4, ... before 1, 3, 5, ... */
  bool transposed;  /* sources lie as [columns, rows] in a checkpoint; of generated weights */
  bool remote;      /* a table of a home: compiled code does not see its memory */
  bool in_file;     /* and so large that it stays in a file of its own, tables/NAME.safetensors */
  const sluice_source_t *sources; /* [source_count] NULL unless generated */
  int32_t source_count;
} sluice_weight_t;

typedef struct sluice_manifest {
  sluice_allocator_t allocator;
  char *file; /* path of manifest.json, for messages */
  size_t file_size;
  sluice_file_t text;
  sluice_json_doc_t doc; /* owns all strings */
  sluice_model_info_t info;
  const char *library;          /* relative path */
  const sluice_json_t *variant; /* members that stand instead of the root's; NULL: none */
  bool fits;                    /* this machine can run the variant, as far as variants say */
  char why[512];                /* why it can run none of them */
  const char **variants;
  sluice_function_info_t *functions;
  sluice_arg_info_t *args;
  int32_t arg_total;
  sluice_weight_t *weights;
  sluice_weight_info_t *weight_infos;
  sluice_source_t *sources;
  int64_t *layers;
  int32_t layer_total;
  int32_t source_total;
  sluice_op_info_t *ops;
  sluice_kv_info_t *kv;
  int32_t *eos;
  const char **features;
  const char **locations;
  int32_t location_count;
} sluice_manifest_t;

/* Reads and checks the manifest of the artefact directory |path|, with the members of |variant|
 * (counted from 1; 0: the first that this machine can run, else the first). |out_manifest| must be
 * zero; on failure it is freed. */
sluice_status_t sluice_manifest_read(const sluice_allocator_t *allocator, const char *path,
                                     int32_t variant, sluice_manifest_t *out_manifest);
void sluice_manifest_free(sluice_manifest_t *manifest);

/* Chooses among the manifest's variants, where it has some; sets |m|'s variant and variants. */
sluice_status_t sluice_manifest_choose(sluice_manifest_t *m, int32_t variant);
/* The object, a variant or the root, in which the member |key| of the manifest stands. */
const sluice_json_t *sluice_manifest_holder(const sluice_manifest_t *m, const char *key);

/* The parts of sluice_manifest_read that stand in files of their own. */
sluice_status_t sluice_manifest_read_weights(sluice_manifest_t *m, const sluice_json_t *list);
sluice_status_t sluice_manifest_read_functions(sluice_manifest_t *m, const sluice_json_t *list);
sluice_status_t sluice_manifest_read_ops(sluice_manifest_t *m, const sluice_json_t *root);

/* Reading members, each with a located message that names |where| ("functions[2].args[0]"). */
sluice_status_t sluice_field(const sluice_manifest_t *m, const sluice_json_t *object,
                             const char *where, const char *key, sluice_json_type_t type,
                             const sluice_json_t **out);
sluice_status_t sluice_field_string(const sluice_manifest_t *m, const sluice_json_t *object,
                                    const char *where, const char *key, const char **out);
/* An integer in [low, high]. With |fallback| not NULL the member may be absent. */
sluice_status_t sluice_field_integer(const sluice_manifest_t *m, const sluice_json_t *object,
                                     const char *where, const char *key, int64_t low, int64_t high,
                                     const int64_t *fallback, int64_t *out);
sluice_status_t sluice_field_dtype(const sluice_manifest_t *m, const sluice_json_t *object,
                                   const char *where, sluice_dtype_t *out);

#endif
