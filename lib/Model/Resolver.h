//===- Resolver.h - a description file with everything substituted ---------===//
// SPDX-License-Identifier: Apache-2.0
//
// Turns the tree of a family or a .sluice.yaml into a Description: evaluates expressions, drops
// what `when` switches off, finds the checkpoint's spelling of each tensor and compares shapes,
// inlines blocks. Each part remembers its own line and the config.json keys that its expressions
// read.
//
// Order matters: axes first (sizes), then weights (whose tensors say the dtype), then memories and
// functions (which need the dtype).
//
//===----------------------------------------------------------------------===//
#ifndef SLUICE_LIB_MODEL_RESOLVER_H
#define SLUICE_LIB_MODEL_RESOLVER_H

#include "Config.h"
#include "Description.h"
#include "sluice/Model/Safetensors.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace sluice::model {

/// What the command line decides.
struct ResolveOptions {
  std::string name;                ///< of the model; empty: the description's own
  std::string dtype;               ///< f32 or bf16; empty: the checkpoint's
  std::string kvDType;             ///< f32 or bf16; empty: what linear layers take
  int64_t page = 16;               ///< slots of a page
  std::optional<uint64_t> seed;    ///< generate the weights instead of reading them
  std::string checkpointDirectory; ///< empty: what the description says
};

class Resolver {
public:
  /// |fragments|: files whose blocks and checks |root| may use.
  Resolver(const YamlNode &root, const SourceText &text,
           llvm::ArrayRef<Config::Declarations> fragments, const Config &config,
           const ResolveOptions &options, ProblemLog &log)
      : root(root), fragments(fragments), ownText(&text), text(&text), config(config),
        options(options), log(log) {}

  /// Nullopt after reporting.
  std::optional<Description> run();

private:
  // Scalars. Each reports what is wrong with |node| and gives nullopt then.
  std::optional<Value> evaluateNode(const YamlNode &node);
  std::optional<int64_t> integer(const YamlNode &node, int64_t min, int64_t max);
  std::optional<double> number(const YamlNode &node);
  std::optional<bool> flag(const YamlNode &node);
  std::optional<std::string> word(const YamlNode &node);
  std::optional<std::string> oneOf(const YamlNode &node, llvm::ArrayRef<llvm::StringRef> words);
  std::optional<std::vector<int64_t>> sizes(const YamlNode &node);
  std::optional<std::vector<std::string>> words(const YamlNode &node);
  /// Whether `when` of |map| holds; true without one.
  std::optional<bool> isOn(const YamlNode &map);

  bool bad(size_t offset, const llvm::Twine &message) {
    log.badInput(*text, offset, message);
    return false;
  }
  bool expect(const YamlNode &node, YamlNode::Kind kind, const llvm::Twine &what);
  /// Calls |f| and gives the places of |node| and of every key that |f|'s expressions read; or what
  /// `at` says.
  bool placed(const YamlNode &node, size_t offset, Places &places, llvm::function_ref<bool()> f);
  bool readAt(const YamlNode &node, Places &places);

  // Sections.
  bool header(Description &out);
  bool checks();
  bool checksOf(const YamlNode &file);
  bool axesSection();
  bool weightsSource(Description &out);
  bool weightsSection(Description &out);
  /// Whether the checkpoint has a tensor of the name of a source.
  bool isThere(const YamlNode &name);
  /// Reads `where` and `layers`: which layers of the stack have the weight. |on| is false when none
  /// has.
  bool layersOf(const YamlNode &node, Weight &weight, bool &on);
  bool weightEntry(const YamlNode::Entry &entry, Description &out);
  bool sourceEntry(const YamlNode &node, Weight &weight);
  bool spellingsSection();
  std::vector<std::string> spellingsOf(llvm::StringRef pattern);
  bool matchCheckpoint(Description &out);
  bool matchSource(const Weight &weight, Source &source);
  bool matchTied(const Description &out);
  bool chooseDType(Description &out);
  bool unusedSection(Description &out);
  bool memoriesSection(Description &out);
  bool functionsSection(Description &out);
  bool functionEntry(const YamlNode::Entry &entry, Description &out);
  std::optional<InputType> inputType(const YamlNode &node, const Description &out);
  bool steps(const YamlNode &list, std::vector<Step> &into, llvm::StringSet<> &scope,
             unsigned depth);
  bool step(const YamlNode &node, std::vector<Step> &into, llvm::StringSet<> &scope,
            unsigned depth);
  struct Block {
    const YamlNode *steps = nullptr; ///< null after reporting
    const SourceText *text = nullptr;
  };
  Block findBlock(const YamlNode &name, unsigned depth);
  bool repeatBody(const YamlNode &node, Step repeat, std::vector<Step> &into,
                  const llvm::StringSet<> &scope, unsigned depth);
  bool layerKinds(const YamlNode &each, int64_t layers, std::vector<unsigned> &kindOf,
                  std::vector<llvm::StringMap<Value>> &kinds);
  std::optional<Scaling> scaling(const YamlNode &node);
  bool field(const FieldSchema &schema, const YamlNode &node, Step &step, llvm::StringSet<> &scope,
             std::vector<std::string> &defined);

  const YamlNode &root;
  llvm::ArrayRef<Config::Declarations> fragments;
  const SourceText *ownText; ///< of |root|
  const SourceText *text;    ///< of the file that is being read: the description's, or a fragment's
  const Config &config;
  const ResolveOptions &options;
  ProblemLog &log;

  struct Axis {
    int64_t size;
    Places at;
  };
  llvm::StringMap<Axis> axes;
  llvm::StringMap<Value> locals; ///< names of the layer that is being read
  Places *reading = nullptr;     ///< where the places of read keys go
  llvm::StringMap<std::vector<std::string>> spellings;
  llvm::StringSet<> switchedOff;       ///< weights whose `when` is false
  llvm::StringMap<std::string> sameAs; ///< tied weight -> the weight that it is
  struct Tied {
    std::string name, to;
    Source source;
    Places at;
  };
  std::vector<Tied> tiedWeights;
  std::unique_ptr<Checkpoint> checkpoint;
  llvm::StringSet<> usedTensors;
  llvm::StringMap<unsigned> tensorDTypes; ///< of weights and tables: how many tensors of each
  std::string rowsDType = "f32";          ///< what linear layers take
  size_t stepCount = 0;
};

} // namespace sluice::model

#endif // SLUICE_LIB_MODEL_RESOLVER_H
