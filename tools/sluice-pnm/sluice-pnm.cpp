// SPDX-License-Identifier: Apache-2.0
//
// sluice-pnm: near-memory machines and their command programs. `sluice-pnm --help` lists the verbs.
#include "tools/sluice-pnm/Commands.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"

using namespace llvm;
using namespace sluice::pnm;

static constexpr StringLiteral kHelp = R"(usage: sluice-pnm VERB [ARGUMENT...]

Near-memory machines and their command programs. A MACHINE is a name that 'machines' lists or the path
of a .yaml file; a PROGRAM is text or the bytes that asm wrote.

  machines                       the machines that ship
  machine MACHINE [--set KEY=X]  one machine as JSON: every number with source, grade and range
  schema                         the keys that a machine file may have
  asm PROGRAM -o FILE            text to bytes
  disasm PROGRAM [-o FILE]       bytes to text
  check PROGRAM                  capacity, alignment, residency, hazards, placement rules
  simulate PROGRAM               run it: results, time, energy
  trace PROGRAM --format=F -o FILE
                                 its memory accesses for another simulator: ramulator, dramsim3, aim
  energy                         arithmetic and movement: the table, and what follows from it

options of check, simulate and trace:
  --machine=MACHINE              instead of the one that the program names
  --set=KEY=X                    change a number of the machine: KEY=3e9, KEY=x1.1, KEY=unknown
  --no-hazards                   leave out the search for hazards (check, simulate)
  --gated-energy                 refuse memories whose energy is unknown (check)
options of simulate:
  --inputs=FILE                  safetensors: the bytes of memories, by name; runs the functions too
  --random=SEED                  fill the f32 and bf16 memories that --inputs lacks
  --outputs=FILE                 safetensors: all memories that were written
  --repeat=N                     run the commands N times (time and energy only)
  --fail=DEVICE@US               that device stops after so many microseconds
  --report=text|json             (text)
  --timeline=FILE                .json: Chrome trace; .svg: a picture
options of trace:
  --format=ramulator|dramsim3|aim
  --device=N                     accesses of one device (0)
  --limit=N                      commands at most (all)

exit codes: 0 ok, 1 usage, 2 bad input, 3 the machine cannot do it, 4 failed while it ran

example:
  sluice-pnm simulate test/Target/PNM/Inputs/gemv.pnm --timeline=out.svg
)";

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  SmallVector<StringRef> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    errs() << kHelp;
    return Usage;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || is_contained(arguments, "--help")) {
    outs() << kHelp;
    return Ok;
  }
  return runVerb(arguments[0], ArrayRef(arguments).drop_front());
}
