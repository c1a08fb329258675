/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect.c: what is in an artefact: manifest, memory, kernels. Works for artefacts of other
 * machines.
 */
#include "commands.h"
#include "report.h"

#include <stdio.h>

static const char *const kinds[] = {"decoder", "encoder", "op"};

static void print_dim(int64_t dim, bool json) {
  static const char *const letters[] = {"rows", "seqs", "asked"};
  if (dim < 0)
    printf(json ? "\"%s\"" : "%s", letters[-1 - dim]);
  else
    printf("%lld", (long long)dim);
}

static void print_shape(const int64_t *shape, int32_t rank, bool json) {
  putchar('[');
  for (int32_t d = 0; d < rank; ++d) {
    if (d > 0)
      fputs(json ? ", " : ",", stdout);
    print_dim(shape[d], json);
  }
  putchar(']');
}

static void print_member(const char *key, const char *text, const char *after) {
  printf("\"%s\": ", key);
  report_json_string(text);
  fputs(after, stdout);
}

static void print_limit(const char *key, int64_t value, bool *first) {
  if (value < 0)
    return;
  printf("%s\"%s\": %lld", *first ? "" : ", ", key, (long long)value);
  *first = false;
}

static void print_json(const sluice_model_info_t *info) {
  bool first = true;
  fputs("{", stdout);
  print_member("name", info->name, ", ");
  print_member("kind", kinds[info->kind], ", ");
  print_member("compiler", info->compiler, ",\n \"target\": {");
  print_member("triple", info->triple, ", ");
  print_member("cpu", info->cpu, ", ");
  print_member("dot", info->dot, ", \"features\": [");
  for (int32_t i = 0; i < info->feature_count; ++i) {
    fputs(i ? ", " : "", stdout);
    report_json_string(info->features[i]);
  }
  printf("]},\n \"variant\": %d, \"variants\": [", info->variant + 1);
  for (int32_t i = 0; i < info->variant_count; ++i) {
    fputs(i ? ", " : "", stdout);
    report_json_string(info->variants[i]);
  }
  fputs("],\n \"limits\": {", stdout);
  print_limit("max_rows", info->max_rows, &first);
  print_limit("max_seqs", info->max_seqs, &first);
  print_limit("vocab", info->limits.vocab, &first);
  print_limit("max_positions", info->limits.max_positions, &first);
  print_limit("max_seq", info->limits.max_seq, &first);
  print_limit("token_types", info->limits.token_types, &first);
  print_limit("embed_max_seq_length", info->limits.embed_max_seq, &first);
  fputs("},\n \"functions\": [", stdout);
  for (int32_t i = 0; i < info->function_count; ++i) {
    const sluice_function_info_t *f = &info->functions[i];
    fputs(i ? ",\n  {" : "\n  {", stdout);
    print_member("name", f->name, ", ");
    print_member("symbol", f->symbol, "");
    printf(", \"arena\": {\"row\": %lld, \"seq\": %lld, \"fixed\": %lld}, \"gathers\": %d, "
           "\"args\": [",
           (long long)f->arena_row, (long long)f->arena_seq, (long long)f->arena_fixed, f->gathers);
    for (int32_t a = 0; a < f->arg_count; ++a) {
      fputs(a ? ", {" : "{", stdout);
      print_member("name", f->args[a].name, "");
      printf(", \"io\": \"%s\", \"dtype\": \"%s\", \"shape\": ", f->args[a].output ? "out" : "in",
             sluice_dtype_name(f->args[a].dtype));
      print_shape(f->args[a].shape, f->args[a].rank, true);
      putchar('}');
    }
    fputs("]}", stdout);
  }
  printf("],\n \"weight_bytes\": %lld, \"weights\": [", (long long)info->weight_bytes);
  for (int32_t i = 0; i < info->weight_count; ++i) {
    const sluice_weight_info_t *w = &info->weights[i];
    fputs(i ? ",\n  {" : "\n  {", stdout);
    print_member("name", w->name, "");
    printf(", \"dtype\": \"%s\", \"shape\": ", sluice_dtype_name(w->dtype));
    print_shape(w->shape, w->rank, true);
    if (w->code_bits)
      printf(", \"encoding\": {\"bits\": %d, \"group\": %d}", w->code_bits, w->code_group);
    printf(", \"layout\": \"%s\", \"bytes\": %lld, \"generated\": %s}", w->panel ? "panel" : "rows",
           (long long)w->bytes, w->generated ? "true" : "false");
  }
  fputs("],\n \"kv\": [", stdout);
  for (int32_t i = 0; i < info->kv_count; ++i) {
    const sluice_kv_info_t *kv = &info->kv[i];
    fputs(i ? ", {" : "{", stdout);
    print_member("name", kv->name, "");
    printf(", \"layers\": %lld, \"kv_heads\": %lld, \"k\": %lld, \"v\": %lld, \"dtype\": \"%s\", "
           "\"page\": %d, "
           "\"page_bytes\": %lld}",
           (long long)kv->layers, (long long)kv->kv_heads, (long long)kv->k, (long long)kv->v,
           sluice_dtype_name(kv->dtype), kv->page, (long long)kv->page_bytes);
  }
  fputs("], \"eos\": [", stdout);
  for (int32_t i = 0; i < info->eos_count; ++i)
    printf(i ? ", %d" : "%d", info->eos[i]);
  fputs("]}\n", stdout);
}

static void print_bytes(const char *what, int64_t bytes, const char *rest) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit)
    value /= 1024;
  printf("  %-28s %10.4g %-3s  %s\n", what, value, units[unit], rest);
}

static void print_functions(const sluice_model_info_t *info) {
  fputs("\nkernels\n", stdout);
  for (int32_t i = 0; i < info->function_count; ++i) {
    const sluice_function_info_t *f = &info->functions[i];
    printf("  %s(", f->name);
    bool results = false;
    for (int32_t a = 0; a < f->arg_count; ++a) {
      if (f->args[a].output && !results)
        fputs(") -> (", stdout);
      else if (a > 0)
        fputs(", ", stdout);
      results = results || f->args[a].output;
      printf("%s %s", f->args[a].name, sluice_dtype_name(f->args[a].dtype));
      print_shape(f->args[a].shape, f->args[a].rank, false);
    }
    printf(")   %s\n", f->symbol);
  }
}

static void print_text(const sluice_model_info_t *info) {
  char line[160];
  printf("%s: %s, by %s\n", info->name, kinds[info->kind], info->compiler);
  printf("target: %s, %s, dot %s, needs", info->triple, info->cpu, info->dot);
  for (int32_t i = 0; i < info->feature_count; ++i)
    printf(" %s", info->features[i]);
  fputs(info->feature_count ? "\n" : " nothing special\n", stdout);
  if (info->variant_count > 1) {
    fputs("variants:", stdout);
    for (int32_t i = 0; i < info->variant_count; ++i)
      printf(" %s%s%s", info->variants[i], i == info->variant ? " (taken here)" : "",
             i + 1 < info->variant_count ? "," : "\n");
  }
  fputs("limits:", stdout);
  const struct {
    const char *name;
    int64_t value;
  } limits[] = {{"vocab", info->limits.vocab},
                {"max_positions", info->limits.max_positions},
                {"max_seq", info->limits.max_seq},
                {"token_types", info->limits.token_types},
                {"embed.max_seq_length", info->limits.embed_max_seq},
                {"max_rows", info->max_rows},
                {"max_seqs", info->max_seqs}};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; ++i)
    if (limits[i].value >= 0)
      printf(" %s %lld", limits[i].name, (long long)limits[i].value);
  fputs("\n\nmemory\n", stdout);
  snprintf(line, sizeof line, "%d tensors", info->weight_count);
  print_bytes("weights", info->weight_bytes, line);
  for (int32_t i = 0; i < info->weight_count; ++i) {
    const sluice_weight_info_t *w = &info->weights[i];
    char codes[48] = "";
    if (w->code_bits)
      snprintf(codes, sizeof codes, "int%d in groups of %d for ", w->code_bits, w->code_group);
    snprintf(line, sizeof line, "%s%s %s, %s", codes, sluice_dtype_name(w->dtype),
             w->panel ? "panels" : "rows",
             w->generated ? "made from a seed at load" : "mapped from weights.safetensors");
    char name[64];
    snprintf(name, sizeof name, "  %s", w->name);
    print_bytes(name, w->bytes, line);
  }
  for (int32_t i = 0; i < info->kv_count; ++i) {
    const sluice_kv_info_t *kv = &info->kv[i];
    snprintf(line, sizeof line, "%d tokens: %lld layers x %lld heads x (%lld + %lld) %s", kv->page,
             (long long)kv->layers, (long long)kv->kv_heads, (long long)kv->k, (long long)kv->v,
             sluice_dtype_name(kv->dtype));
    print_bytes("page", kv->page_bytes, line);
  }
  for (int32_t i = 0; i < info->function_count; ++i) {
    const sluice_function_info_t *f = &info->functions[i];
    snprintf(line, sizeof line, "+ %lld per row, %lld per sequence", (long long)f->arena_row,
             (long long)f->arena_seq);
    char name[64];
    snprintf(name, sizeof name, "scratch of %s", f->name);
    print_bytes(name, f->arena_fixed, line);
  }
  print_functions(info);
}

int command_inspect(const sluice_model_t *model, const options_t *o) {
  const sluice_model_info_t *info = sluice_model_info(model);
  if (o->json)
    print_json(info);
  else
    print_text(info);
  return EXIT_OK;
}
