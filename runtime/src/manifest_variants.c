/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest_variants.c: artefacts with code for several processors. "variants" is a list of objects
 * whose members stand instead of the root's; the first one that the machine can run is taken.
 */
#include "machine.h"
#include "manifest.h"

#include <stdio.h>
#include <string.h>

/* More than there are processors worth telling apart; a variant is chosen by a byte. */
enum { VARIANTS_MOST = 64 };

const sluice_json_t *sluice_manifest_holder(const sluice_manifest_t *m, const char *key) {
  return m->variant && sluice_json_member(&m->doc, m->variant, key) ? m->variant : m->doc.nodes;
}

/* What keeps this machine from running code for |target|, in |out|; false: nothing does. */
static bool lacks(const sluice_manifest_t *m, const sluice_json_t *target, char *out, size_t size) {
  const char *arch = sluice_machine_arch();
  const sluice_json_t *triple = sluice_json_member(&m->doc, target, "triple");
  const sluice_json_t *features = sluice_json_member(&m->doc, target, "features");
  size_t length = strlen(arch);
  if (!triple || triple->type != SLUICE_JSON_STRING || strncmp(triple->text, arch, length) != 0 ||
      triple->text[length] != '-') {
    snprintf(out, size, "is for %.40s",
             triple && triple->type == SLUICE_JSON_STRING ? triple->text : "no known machine");
    return true;
  }
  for (const sluice_json_t *f = features && features->type == SLUICE_JSON_ARRAY
                                    ? sluice_json_first(&m->doc, features)
                                    : NULL;
       f; f = sluice_json_next(&m->doc, f)) {
    if (f->type != SLUICE_JSON_STRING || f->text[0] == '-')
      continue;
    const char *name = f->text + (f->text[0] == '+');
    if (sluice_machine_feature(name) != SLUICE_HAS) {
      snprintf(out, size, "needs %.40s", name);
      return true;
    }
  }
  return false;
}

/* One variant: its name, and whether the machine can run it; if not, why is added to |why|. */
static sluice_status_t look_at(sluice_manifest_t *m, const sluice_json_t *node, int32_t index,
                               bool *out_fits, char *why, size_t why_size) {
  const sluice_json_t *target;
  char where[32], reason[96] = "";
  snprintf(where, sizeof where, "variants[%d]", index);
  if (node->type != SLUICE_JSON_OBJECT)
    return sluice_json_fail(&m->doc, node, SLUICE_STATUS_BAD_ARTEFACT,
                            "%s is %s, expected an object", where, sluice_json_type_name(node));
  SLUICE_TRY(sluice_field(m, node, where, "target", SLUICE_JSON_OBJECT, &target));
  SLUICE_TRY(sluice_field_string(m, target, where, "cpu", &m->variants[index]));
  *out_fits = !lacks(m, target, reason, sizeof reason);
  size_t used = strlen(why);
  if (!*out_fits && used < why_size)
    snprintf(why + used, why_size - used, "%s%.40s %s", index ? ", " : "", m->variants[index],
             reason);
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_manifest_choose(sluice_manifest_t *m, int32_t variant) {
  const sluice_json_t *root = m->doc.nodes, *list = sluice_json_member(&m->doc, root, "variants");
  m->fits = true;
  if (!list) {
    if (variant > 1)
      return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                         "%s: variant %d asked for, but the artefact is for one processor", m->file,
                         variant);
    SLUICE_TRY(sluice_allocate(&m->allocator, 1, sizeof *m->variants, &m->variants));
    m->info.variants = m->variants;
    m->info.variant_count = 1;
    return SLUICE_STATUS_OK; // Its name is read with the rest of the target.
  }
  SLUICE_TRY(sluice_field(m, root, "the manifest", "variants", SLUICE_JSON_ARRAY, &list));
  if (list->count < 1 || list->count > VARIANTS_MOST)
    return sluice_json_fail(&m->doc, list, SLUICE_STATUS_BAD_ARTEFACT,
                            "variants has %u entries, expected 1 to %d", list->count,
                            VARIANTS_MOST);
  if (variant > (int32_t)list->count)
    return sluice_fail(SLUICE_STATUS_INVALID_ARGUMENT,
                       "%s: variant %d asked for, but the artefact has %u", m->file, variant,
                       list->count);
  SLUICE_TRY(sluice_allocate(&m->allocator, list->count, sizeof *m->variants, &m->variants));
  m->info.variants = m->variants;
  m->info.variant_count = (int32_t)list->count;
  const sluice_json_t *first = NULL, *asked = NULL;
  char why[512] = "";
  int32_t index = 0, chosen = 0;
  bool asked_fits = false;
  for (const sluice_json_t *node = sluice_json_first(&m->doc, list); node;
       node = sluice_json_next(&m->doc, node), ++index) {
    bool fits;
    SLUICE_TRY(look_at(m, node, index, &fits, why, sizeof why));
    if (index + 1 == variant) {
      asked = node;
      asked_fits = fits;
    }
    if (fits && !first) {
      first = node;
      chosen = index;
    }
  }
  m->variant = asked ? asked : first ? first : sluice_json_first(&m->doc, list);
  m->info.variant = asked ? variant - 1 : chosen;
  m->fits = asked ? asked_fits : first != NULL;
  if (!m->fits)
    snprintf(m->why, sizeof m->why, "%s", why);
  return SLUICE_STATUS_OK;
}
