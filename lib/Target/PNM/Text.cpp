// SPDX-License-Identifier: Apache-2.0
//
// Programs as text, one thing per line. What is zero is not written. Printing gives one text for
// one program; parsing it gives that program back, bit for bit.
#include "lib/Target/PNM/Names.h"
#include "sluice/Model/Problems.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace llvm;
using sluice::model::ProblemLog;
using sluice::model::SourceText;

namespace sluice::pnm {

// ---- printing ----

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

static std::string scaleText(float scale) {
  if (!std::isfinite(scale))
    return formatv("bits:{0:x-8}", bitsOf(scale)).str();
  char text[32];
  snprintf(text, sizeof text, "%.9g", scale);
  return text;
}

static void printMemory(const Memory &m, raw_ostream &os) {
  os << "memory " << m.name << " tier=" << nameOf(m.tier) << " group=" << m.group
     << " shard=" << nameOf(m.shard) << " residency=" << wordOf(kResidencies, m.residency)
     << " mut=" << wordOf(kMutabilities, m.mut) << " layout=" << wordOf(kLayouts, m.layout)
     << " dtype=" << nameOf(m.dtype);
  if (m.digest != Digest::None)
    os << " digest=" << wordOf(kDigests, m.digest);
  if (m.shared)
    os << " shared=" << m.shared;
  if (m.columns)
    os << " columns=" << m.columns;
  os << " dims=[";
  interleave(m.dims, os, ",");
  os << "]\n";
}

void print(const Program &program, const Command &c, raw_ostream &os) {
  os << nameOf(c.opcode);
  auto number = [&](StringRef key, uint64_t value) {
    if (value)
      os << " " << key << "=" << value;
  };
  number("group", c.group);
  number("tag", c.tag);
  for (auto [key, operand] :
       {std::pair(StringRef("src0"), c.src0), {"src1", c.src1}, {"dst", c.dst}}) {
    if (!operand.memory && !operand.offset)
      continue;
    os << " " << key << "=";
    if (operand.memory && operand.memory < program.memories.size())
      os << program.memory(operand).name;
    else
      os << "#" << operand.memory;
    if (operand.offset)
      os << "+" << operand.offset;
  }
  number("n0", c.n0);
  number("n1", c.n1);
  number("n2", c.n2);
  number("stride", c.stride);
  for (auto [key, type] :
       {std::pair(StringRef("type0"), c.type0), {"type1", c.type1}, {"acc", c.acc}})
    if (type != DType::None)
      os << " " << key << "=" << nameOf(type);
  if (c.layout)
    os << " layout=" << wordOf(kLayouts, static_cast<Layout>(c.layout));
  if (bitsOf(c.scale))
    os << " scale=" << scaleText(c.scale);
  number("aux", c.aux);
  number("id", c.event);
  if (c.flags) {
    os << " flags=[";
    bool first = true;
    for (const Word<uint8_t> &flag : kFlags)
      if (c.flags & flag.value) {
        os << (first ? "" : ",") << flag.word;
        first = false;
      }
    os << "]";
  }
}

void print(const Program &program, raw_ostream &os) {
  os << "pnm 1\nmachine " << program.machine << "\n";
  for (size_t i = 1; i < program.groups.size(); ++i)
    os << "group " << i << " first=" << program.groups[i].first
       << " count=" << program.groups[i].count << "\n";
  for (size_t i = 1; i < program.memories.size(); ++i)
    printMemory(program.memories[i], os);
  for (const Command &command : program.commands) {
    print(program, command, os);
    os << "\n";
  }
}

// ---- parsing ----

namespace {
class Parser {
public:
  Parser(const SourceText &source, ProblemLog &log) : source(source), log(log) {}

  std::optional<Program> run();

private:
  struct Field {
    StringRef key, value;
  };

  bool fail(StringRef at, const Twine &message) {
    size_t offset = at.data() >= source.text().data() ? at.data() - source.text().data() : 0;
    log.badInput(source, offset, message);
    return false;
  }
  bool line(StringRef line);
  bool fields(StringRef text, SmallVectorImpl<Field> &into);
  bool memory(StringRef line, StringRef rest);
  bool group(StringRef line, StringRef rest);
  bool command(StringRef word, StringRef rest);
  bool commandField(Command &command, Field field);
  bool operand(Field field, Operand &into);
  bool scale(Field field, float &into);
  template <typename Integer>
  bool number(Field field, Integer &into) {
    uint64_t value;
    if (field.value.getAsInteger(10, value) || value > std::numeric_limits<Integer>::max())
      return fail(field.value, "expected " + field.key + " to be a number from 0 to " +
                                   Twine(uint64_t(std::numeric_limits<Integer>::max())) +
                                   ", found '" + field.value + "'");
    into = static_cast<Integer>(value);
    return true;
  }
  template <typename Enum, size_t N>
  bool word(const Word<Enum> (&words)[N], Field field, Enum &into) {
    return fromWord(words, field.value, into) ||
           fail(field.value, "expected " + field.key + " to be one of " + listOf(words) +
                                 ", found '" + field.value + "'");
  }

  const SourceText &source;
  ProblemLog &log;
  Program program;
  StringMap<uint16_t> memories;
  bool versionSeen = false;
};
} // namespace

bool Parser::fields(StringRef text, SmallVectorImpl<Field> &into) {
  StringSet<> seen;
  while (!(text = text.ltrim()).empty()) {
    StringRef item = text.take_until([](char c) { return isSpace(c); });
    // [a, b] may have spaces.
    if (size_t open = item.find('['); open != StringRef::npos && !item.contains(']')) {
      size_t close = text.find(']');
      if (close == StringRef::npos)
        return fail(item, "expected ']' on this line");
      item = text.take_front(close + 1);
    }
    text = text.drop_front(item.size());
    auto [key, value] = item.split('=');
    if (value.empty())
      return fail(item, "expected key=value, found '" + item.take_front(80) + "'");
    if (!seen.insert(key).second)
      return fail(item, "'" + key + "' stands twice");
    into.push_back({key, value});
  }
  return true;
}

bool Parser::group(StringRef line, StringRef rest) {
  auto [number, tail] = rest.split(' ');
  uint64_t value;
  if (number.getAsInteger(10, value) || value != program.groups.size() || value > 65535)
    return fail(
        number.empty() ? line : number,
        formatv("expected group {0}: groups are numbered in order from 1", program.groups.size()));
  Group group;
  SmallVector<Field> list;
  if (!fields(tail, list))
    return false;
  for (Field field : list) {
    if (field.key != "first" && field.key != "count")
      return fail(field.key, "a group has first and count, not '" + field.key + "'");
    if (!this->number(field, field.key == "first" ? group.first : group.count))
      return false;
  }
  program.groups.push_back(group);
  return true;
}

bool Parser::memory(StringRef line, StringRef rest) {
  auto [name, tail] = rest.split(' ');
  Memory m;
  m.name = name.str();
  if (!isName(name))
    return fail(name.empty() ? line : name,
                "expected a name of 1 to 31 letters, digits, '_' and '.', found '" + name + "'");
  if (program.memories.size() > 65535)
    return fail(line, "more than 65535 memories");
  if (!memories.try_emplace(name, program.memories.size()).second)
    return fail(name, "there is a memory '" + name + "' already");
  SmallVector<Field> list;
  if (!fields(tail, list))
    return false;
  for (Field field : list) {
    bool good;
    if (field.key == "tier")
      good = word(kTiers, field, m.tier);
    else if (field.key == "shard")
      good = word(kShards, field, m.shard);
    else if (field.key == "residency")
      good = word(kResidencies, field, m.residency);
    else if (field.key == "mut")
      good = word(kMutabilities, field, m.mut);
    else if (field.key == "layout")
      good = word(kLayouts, field, m.layout);
    else if (field.key == "dtype")
      good = word(kDTypes, field, m.dtype);
    else if (field.key == "digest")
      good = word(kDigests, field, m.digest);
    else if (field.key == "group")
      good = number(field, m.group);
    else if (field.key == "shared")
      good = number(field, m.shared);
    else if (field.key == "columns")
      good = number(field, m.columns);
    else if (field.key == "dims") {
      StringRef inner = field.value;
      if (!inner.consume_front("[") || !inner.consume_back("]"))
        return fail(field.value, "expected dims=[a,b,...], found '" + field.value + "'");
      SmallVector<StringRef> parts;
      inner.split(parts, ',');
      for (StringRef part : parts) {
        uint64_t dim;
        if (part.trim().getAsInteger(10, dim) || dim >> 48)
          return fail(part, "expected a size below 2^48, found '" + part + "'");
        m.dims.push_back(dim);
      }
      good = true;
    } else {
      StringRef known[] = {"tier",   "shard", "residency", "mut",     "layout", "dtype",
                           "digest", "group", "shared",    "columns", "dims"};
      good = fail(field.key,
                  "a memory has no '" + field.key + "'" + model::didYouMean(field.key, known));
    }
    if (!good)
      return false;
  }
  if (m.dims.empty() || m.dims.size() > 4)
    return fail(name, "expected dims of 1 to 4 sizes");
  if (m.dtype == DType::None)
    return fail(name, "expected an element type");
  program.memories.push_back(std::move(m));
  return true;
}

bool Parser::operand(Field field, Operand &into) {
  auto [name, offset] = field.value.split('+');
  if (name.starts_with("#")) {
    if (name.drop_front().getAsInteger(10, into.memory))
      return fail(name, "expected a memory, found '" + name + "'");
  } else if (auto found = memories.find(name); found != memories.end()) {
    into.memory = found->second;
  } else {
    SmallVector<StringRef> known(memories.keys());
    return fail(name, "there is no memory '" + name + "' above" + model::didYouMean(name, known));
  }
  if (field.value.contains('+') && (offset.getAsInteger(10, into.offset) || into.offset >> 48))
    return fail(offset, "expected an offset below 2^48, found '" + offset + "'");
  return true;
}

bool Parser::scale(Field field, float &into) {
  StringRef text = field.value;
  if (text.consume_front("bits:")) {
    text.consume_front("0x");
    uint32_t bits;
    if (text.getAsInteger(16, bits))
      return fail(field.value, "expected bits:0x and 8 digits, found '" + field.value + "'");
    std::memcpy(&into, &bits, 4);
    return true;
  }
  std::string copy = text.str();
  char *end;
  into = strtof(copy.c_str(), &end);
  return (!*end && std::isfinite(into)) ||
         fail(field.value, "expected a number, found '" + field.value + "'");
}

bool Parser::commandField(Command &c, Field field) {
  std::pair<StringRef, Operand *> operands[] = {
      {"src0", &c.src0}, {"src1", &c.src1}, {"dst", &c.dst}};
  for (auto [key, into] : operands)
    if (field.key == key)
      return operand(field, *into);
  std::pair<StringRef, uint32_t *> numbers[] = {
      {"tag", &c.tag},  {"n0", &c.n0},         {"n1", &c.n1},  {"n2", &c.n2},
      {"id", &c.event}, {"stride", &c.stride}, {"aux", &c.aux}};
  for (auto [key, into] : numbers)
    if (field.key == key)
      return number(field, *into);
  std::pair<StringRef, DType *> types[] = {
      {"type0", &c.type0}, {"type1", &c.type1}, {"acc", &c.acc}};
  for (auto [key, into] : types)
    if (field.key == key)
      return word(kDTypes, field, *into);
  if (field.key == "group")
    return number(field, c.group);
  if (field.key == "scale")
    return scale(field, c.scale);
  if (field.key == "layout") {
    Layout layout;
    if (!word(kLayouts, field, layout))
      return false;
    c.layout = static_cast<uint8_t>(layout);
    return true;
  }
  if (field.key == "flags") {
    StringRef inner = field.value;
    if (!inner.consume_front("[") || !inner.consume_back("]"))
      return fail(field.value, "expected flags=[a,b,...], found '" + field.value + "'");
    SmallVector<StringRef> parts;
    inner.split(parts, ',');
    for (StringRef part : parts) {
      uint8_t bit;
      if (!word(kFlags, {"a flag", part.trim()}, bit))
        return false;
      c.flags |= bit;
    }
    return true;
  }
  StringRef known[] = {"src0", "src1",  "dst",    "tag",    "n0",    "n1",
                       "n2",   "id",    "stride", "aux",    "type0", "type1",
                       "acc",  "group", "scale",  "layout", "flags"};
  return fail(field.key,
              "a command has no '" + field.key + "'" + model::didYouMean(field.key, known));
}

bool Parser::command(StringRef word, StringRef rest) {
  Command c;
  if (!fromWord(kOpcodes, word, c.opcode)) {
    SmallVector<StringRef> known = {"machine", "group", "memory"};
    for (const Word<Opcode> &opcode : kOpcodes)
      known.push_back(opcode.word);
    return fail(word, "there is no command '" + word.take_front(80) + "'" +
                          model::didYouMean(word, known));
  }
  SmallVector<Field> list;
  if (!fields(rest, list))
    return false;
  for (Field field : list)
    if (!commandField(c, field))
      return false;
  program.commands.push_back(c);
  return true;
}

bool Parser::line(StringRef line) {
  auto [word, rest] = line.split(' ');
  rest = rest.trim();
  if (!versionSeen) {
    if (word != "pnm" || rest != "1")
      return fail(line, "expected the first line to be 'pnm 1'");
    return versionSeen = true;
  }
  if (word == "machine") {
    if (!program.machine.empty() || rest.empty() || rest.size() > 31)
      return fail(line, "expected one machine, of 1 to 31 letters");
    program.machine = rest.str();
    return true;
  }
  if (word == "group")
    return group(word, rest);
  if (word == "memory")
    return memory(word, rest);
  return command(word, rest);
}

std::optional<Program> Parser::run() {
  program.groups.resize(1);
  program.memories.resize(1);
  StringRef text = source.text();
  while (!text.empty()) {
    auto [first, rest] = text.split('\n');
    text = rest;
    StringRef content = first.split("//").first.trim();
    if (!content.empty() && !line(content))
      return std::nullopt;
  }
  if (program.machine.empty())
    return fail(source.text(), "expected 'pnm 1' and then 'machine NAME'"), std::nullopt;
  return program;
}

std::optional<Program> parseProgram(const SourceText &source, ProblemLog &log) {
  return Parser(source, log).run();
}

} // namespace sluice::pnm
