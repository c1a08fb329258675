/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c: sluice-run: loads an artefact and runs one command on it.
 */
#define _GNU_SOURCE 1
#include "commands.h"
#include "faults.h"
#include "report.h"
#include "tensors.h"
#include "trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A closed stdin, stdout or stderr must not become the number of a file that is opened later.
 * Writing to such a stdout fails, as it should. */
static void hold_standard_files(void) {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
      _exit(EXIT_RUN_TIME);
}

static void write_log(void *self, sluice_log_level_t level, const char *message) {
  (void)self;
  report_line(level == SLUICE_LOG_WARNING ? "warning" : "remark", message);
}

int main(int argc, char **argv) {
  hold_standard_files();
  faults_install();
  options_t options;
  bool done;
  int code = options_parse(argc, argv, &options, &done);
  if (done)
    return code;
  if (options.command == COMMAND_CEILINGS)
    return report_finish(command_ceilings(&options));
  sluice_model_options_t model_options = {.log = {NULL, write_log},
                                          .threads = (int32_t)options.threads,
                                          .variant = (uint8_t)options.variant,
                                          .metadata_only = options.command == COMMAND_INSPECT};
  sluice_model_t *model = NULL;
  TRY_STATUS(sluice_model_load(options.artefact, &model_options, &model));
  faults_name_weights(model);
  sessions_follow(&options);
  code = trace_begin(model, &options);
  switch (code == EXIT_OK ? options.command : COMMAND_CEILINGS) {
  case COMMAND_CEILINGS:
    break;
  case COMMAND_RUN:
    code = options.tokens ? command_generate(model, &options) : command_inputs(model, &options);
    break;
  case COMMAND_BENCH:
    code = command_bench(model, &options);
    break;
  case COMMAND_INSPECT:
    code = command_inspect(model, &options);
    break;
  }
  if (code == EXIT_OK)
    code = trace_finish();
  code = report_finish(code);
  sluice_model_release(model);
  return code;
}
