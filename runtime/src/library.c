/* SPDX-License-Identifier: Apache-2.0
 *
 * library.c: loads compiled code. The loader of the system trusts an ELF file's headers, and a cut
 * file kills the process on first touch; so headers and sizes are checked before it sees the file.
 */
#include "library.h"
#include "machine.h"

#include <dlfcn.h>
#include <elf.h>
#include <string.h>

sluice_status_t sluice_library_check_target(const sluice_manifest_t *m) {
  const char *arch = sluice_machine_arch();
  size_t length = strlen(arch);
  if (!m->fits && m->info.variant_count > 1)
    return sluice_fail(SLUICE_STATUS_WRONG_TARGET,
                       "%s: this machine (%s) can run none of the artefact's %d variants: %s: "
                       "compile with a --cpu that it has",
                       m->file, arch, m->info.variant_count, m->why);
  if (strncmp(m->info.triple, arch, length) != 0 || m->info.triple[length] != '-')
    return sluice_fail(SLUICE_STATUS_WRONG_TARGET,
                       "%s: the artefact was built for %s, this machine is %s", m->file,
                       m->info.triple, arch);
  for (int32_t i = 0; i < m->info.feature_count; ++i) {
    const char *name = m->features[i];
    if (name[0] == '-')
      continue; // LLVM's way to say that the code does without it.
    name += name[0] == '+';
    sluice_has_t has = sluice_machine_feature(name);
    if (has == SLUICE_HAS_NOT)
      return sluice_fail(SLUICE_STATUS_WRONG_TARGET,
                         "%s: the artefact needs the processor feature %s, which this machine "
                         "lacks: compile with a --cpu that it has",
                         m->file, name);
    if (has == SLUICE_HAS_UNKNOWN)
      return sluice_fail(SLUICE_STATUS_WRONG_TARGET,
                         "%s: this runtime does not know the processor feature \"%.40s\", so it "
                         "cannot tell whether the machine has it",
                         m->file, name);
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t check_elf(const sluice_file_t *file, const char *path) {
#if defined(__x86_64__)
  const unsigned machine = EM_X86_64;
#else
  const unsigned machine = EM_AARCH64;
#endif
  Elf64_Ehdr header;
  if (file->bytes < (int64_t)sizeof header || memcmp(file->data, ELFMAG, SELFMAG) != 0)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "%s is no ELF file, or is cut", path);
  memcpy(&header, file->data, sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN ||
      header.e_machine != machine)
    return sluice_fail(SLUICE_STATUS_WRONG_TARGET, "%s is no shared library for %s", path,
                       sluice_machine_arch());
  uint64_t bytes = (uint64_t)file->bytes, table = (uint64_t)header.e_phnum * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > bytes ||
      table > bytes - header.e_phoff)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: the program headers are outside the file (is it cut?)", path);
  // The section headers are not loaded, but linkers put them last: the cut that spares them spares
  // all.
  table = (uint64_t)header.e_shnum * header.e_shentsize;
  if (header.e_shoff > bytes || table > bytes - header.e_shoff)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s: the section headers are outside the file (is it cut?)", path);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    memcpy(&part, file->data + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_offset > bytes || part.p_filesz > bytes - part.p_offset)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s has %lld bytes, but segment %u ends at byte %llu (is it cut?)", path,
                         (long long)file->bytes, i,
                         (unsigned long long)(part.p_offset + part.p_filesz));
  }
  return SLUICE_STATUS_OK;
}

static sluice_status_t find_symbols(const sluice_manifest_t *m, const char *path, void *handle,
                                    sluice_entry_fn *entries) {
  const uint32_t *version = dlsym(handle, "sluice_abi_version");
  if (!version)
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                       "%s has no symbol sluice_abi_version: it is no compiled model", path);
  if (*version != SLUICE_ABI_VERSION)
    return sluice_fail(
        *version > SLUICE_ABI_VERSION ? SLUICE_STATUS_TOO_NEW : SLUICE_STATUS_BAD_ARTEFACT,
        "%s was built for kernel ABI %u, this runtime has %u: %s", path, *version,
        SLUICE_ABI_VERSION,
        *version > SLUICE_ABI_VERSION ? "use a newer runtime" : "compile the model again");
  for (int32_t i = 0; i < m->info.function_count; ++i) {
    void *symbol = dlsym(handle, m->functions[i].symbol);
    if (!symbol)
      return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT,
                         "%s has no symbol %s, which the manifest names for the function %s", path,
                         m->functions[i].symbol, m->functions[i].name);
    memcpy(&entries[i], &symbol, sizeof symbol);
  }
  return SLUICE_STATUS_OK;
}

sluice_status_t sluice_library_open(const sluice_manifest_t *m, const char *path, void **out_handle,
                                    sluice_entry_fn *entries) {
  sluice_file_t file;
  sluice_status_t status = sluice_file_map(path, &file);
  if (status == SLUICE_STATUS_NOT_FOUND)
    return sluice_fail_in(SLUICE_STATUS_BAD_ARTEFACT, "the artefact's code is missing");
  SLUICE_TRY(status);
  status = check_elf(&file, path);
  sluice_file_unmap(&file);
  SLUICE_TRY(status);
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    return sluice_fail(SLUICE_STATUS_BAD_ARTEFACT, "cannot load %s: %s", path,
                       reason ? reason : "no reason given");
  }
  status = find_symbols(m, path, handle, entries);
  if (status == SLUICE_STATUS_OK)
    *out_handle = handle;
  else
    dlclose(handle);
  return status;
}

void sluice_library_close(void *handle) {
  if (handle)
    dlclose(handle);
}
