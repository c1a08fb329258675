// SPDX-License-Identifier: Apache-2.0
//
// The verbs that run programs: data in and out as safetensors, reports, timelines, traces.
#include "lib/Target/PNM/Numbers.h"
#include "sluice/Model/Safetensors.h"
#include "sluice/Target/PNM/Simulator.h"
#include "tools/sluice-pnm/Commands.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace llvm;
using sluice::model::ProblemLog;

namespace sluice::pnm {

static constexpr uint64_t kMostDataBytes = uint64_t(2) << 30;
static constexpr size_t kMostIntervals = 200'000;
static constexpr uint64_t kMostRepeats = uint64_t(1) << 40;

/// Fills |bytes| with numbers in [-1, 1) that depend on the seed, the name and the place.
static void fillRandom(const Memory &m, uint64_t seed, std::vector<uint8_t> &bytes) {
  uint64_t state = seed;
  for (char c : m.name)
    state = (state ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  uint64_t count = m.elements();
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t z = state + (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    float value = static_cast<float>((z ^ z >> 31) >> 40) * 0x1p-23f - 1.0f;
    if (m.dtype == DType::F32) {
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    } else {
      uint16_t rounded = toBF16(value);
      std::memcpy(bytes.data() + 2 * i, &rounded, 2);
    }
  }
}

static std::optional<Data> readData(const Options &options, const Program &program,
                                    ProblemLog &log) {
  std::string why;
  std::optional<Data> data = Data::allocate(program, kMostDataBytes, why);
  if (!data) {
    log.badInput(options.input, why);
    return std::nullopt;
  }
  std::unique_ptr<model::SafetensorsFile> file;
  if (!options.inputs.empty() && !(file = model::SafetensorsFile::open(options.inputs, log)))
    return std::nullopt;
  if (file)
    for (const model::TensorView &tensor : file->tensors())
      if (none_of(program.memories, [&](const Memory &m) { return m.name == tensor.name; }))
        log.badInput(options.inputs, "tensor '" + tensor.name + "' is no memory of the program");
  for (size_t i = 1; i < program.memories.size(); ++i) {
    const Memory &m = program.memories[i];
    const model::TensorView *tensor = file ? file->find(m.name) : nullptr;
    if (tensor && tensor->bytes.size() != data->bytes[i].size())
      log.badInput(options.inputs, formatv("tensor '{0}' has {1} bytes, expected {2}", m.name,
                                           tensor->bytes.size(), data->bytes[i].size())
                                       .str());
    else if (tensor)
      std::copy(tensor->bytes.begin(), tensor->bytes.end(), data->bytes[i].begin());
    else if (options.random && (m.dtype == DType::F32 || m.dtype == DType::BF16))
      fillRandom(m, *options.random, data->bytes[i]);
  }
  return log.failed() ? std::nullopt : std::move(data);
}

/// What was written, as safetensors.
static std::string asSafetensors(const Program &program, const Data &data) {
  std::string header, body;
  {
    raw_string_ostream os(header);
    json::OStream out(os);
    uint64_t at = 0;
    out.object([&] {
      for (size_t i = 1; i < program.memories.size(); ++i) {
        if (!data.written[i])
          continue;
        const Memory &m = program.memories[i];
        bool plain = m.layout == Layout::Row && !m.columns && m.dtype != DType::None;
        out.attributeObject(m.name, [&] {
          out.attribute("dtype", plain ? StringRef(nameOf(m.dtype)).upper() : "U8");
          out.attributeArray("shape", [&] {
            if (!plain)
              return out.value(int64_t(data.bytes[i].size()));
            for (uint64_t dim : m.dims)
              out.value(int64_t(dim));
          });
          out.attributeArray("data_offsets", [&] {
            out.value(int64_t(at));
            out.value(int64_t(at + data.bytes[i].size()));
          });
        });
        at += data.bytes[i].size();
        body.append(data.bytes[i].begin(), data.bytes[i].end());
      }
    });
  }
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string size(8, '\0');
  support::endian::write64le(size.data(), header.size());
  return size + header + body;
}

static std::optional<Fault> parseFault(StringRef text, const PNMMachine &machine, ProblemLog &log) {
  Fault fault;
  double us;
  auto [device, time] = text.split('@');
  if (device.getAsInteger(10, fault.device) || time.getAsDouble(us) || !(us >= 0) || us > 1e12 ||
      fault.device >= machine.get("topology.devices")) {
    log.badInput("--fail=" + text.str(),
                 formatv("expected DEVICE@MICROSECONDS with a device below {0}",
                         machine.get("topology.devices"))
                     .str());
    return std::nullopt;
  }
  fault.ns = us * 1e3;
  return fault;
}

static int writeTimeline(const Options &options, const Program &program, const Result &result) {
  std::string text;
  raw_string_ostream os(text);
  if (options.timeline.ends_with(".svg"))
    printTimelineSvg(program, result, os);
  else
    printChromeTrace(program, result, os);
  return writeFile(options.timeline, text);
}

int simulateVerb(const Options &options, const Program &program, const PNMMachine &machine) {
  ProblemLog log;
  auto bad = [&] {
    log.print(errs());
    return log.exitCode();
  };
  bool functions = !options.inputs.empty() || options.random || !options.outputs.empty();
  SimulationOptions simulation;
  simulation.repeat = options.repeat;
  if (functions && options.repeat != 1)
    log.badInput("--repeat",
                 "data is computed once: expected no --inputs, --random and --outputs with it");
  if (options.repeat < 1 || options.repeat > kMostRepeats)
    log.badInput("--repeat", "expected 1 to 2^40");
  if (!options.timeline.empty()) {
    simulation.intervals = kMostIntervals;
    if (!options.timeline.ends_with(".svg") && !options.timeline.ends_with(".json"))
      log.badInput("--timeline=" + options.timeline.str(),
                   "expected a name that ends in .json or .svg");
  }
  if (program.commands.empty())
    log.badInput(options.input, "has no commands");
  if (!options.fail.empty())
    simulation.fault = parseFault(options.fail, machine, log);
  if (log.failed())
    return bad();
  std::optional<Data> data;
  if (functions && !(data = readData(options, program, log)))
    return bad();
  Result result;
  std::string why;
  if (!simulate(program, machine, data ? &*data : nullptr, simulation, result, why)) {
    errs() << options.input << ": error: " << why << "\n";
    return Failed;
  }
  if (options.report == "json")
    printReportJson(program, machine, result, outs());
  else
    printReport(program, machine, result, outs());
  if (!options.timeline.empty())
    if (int code = writeTimeline(options, program, result))
      return code;
  if (!result.failure.empty()) {
    errs() << options.input << ": error: " << result.failure << "\n";
    return Failed;
  }
  if (!options.outputs.empty())
    return writeFile(options.outputs, asSafetensors(program, *data));
  return Ok;
}

int traceVerb(const Options &options, const Program &program, const PNMMachine &machine) {
  ProblemLog log;
  std::optional<TraceFormat> format = StringSwitch<std::optional<TraceFormat>>(options.format)
                                          .Case("ramulator", TraceFormat::Ramulator)
                                          .Case("dramsim3", TraceFormat::DramSim3)
                                          .Case("aim", TraceFormat::Aim)
                                          .Default(std::nullopt);
  if (!format)
    log.badInput("--format=" + options.format.str(), "expected ramulator, dramsim3 or aim");
  if (options.device >= machine.get("topology.devices"))
    log.badInput("--device",
                 formatv("expected a device below {0}", machine.get("topology.devices")).str());
  std::optional<Data> data;
  if (!log.failed() && !options.inputs.empty())
    data = readData(options, program, log);
  if (log.failed()) {
    log.print(errs());
    return log.exitCode();
  }
  std::string text, why;
  raw_string_ostream os(text);
  uint64_t bytes = 0;
  if (!printTrace(program, machine, data ? &*data : nullptr, *format, options.device, options.limit,
                  os, bytes, why)) {
    errs() << options.input << ": error: " << why << "\n";
    return Failed;
  }
  errs() << formatv("{0} bytes in {1} lines\n", bytes, StringRef(text).count('\n'));
  return writeFile(options.output, text);
}

} // namespace sluice::pnm
