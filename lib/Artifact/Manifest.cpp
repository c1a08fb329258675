// SPDX-License-Identifier: Apache-2.0
//
// Attributes become JSON as they are: dictionaries are objects with sorted keys, so the text is the
// same every time.

#include "lib/Artifact/Manifest.h"
#include "lib/Artifact/DescribeOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "sluice-rt/kernel_abi.h"

using namespace mlir;

namespace json = llvm::json;

namespace sluice::artifact {
namespace {
/// Readers that know only the first refuse the other, which has variants.
constexpr int64_t kManifestVersion = 1, kVariantsVersion = 2;

json::Value toJson(Attribute attribute) {
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    json::Object object;
    for (NamedAttribute entry : dictionary)
      object[entry.getName().getValue()] = toJson(entry.getValue());
    return object;
  }
  if (auto array = dyn_cast<ArrayAttr>(attribute)) {
    json::Array values;
    for (Attribute value : array)
      values.push_back(toJson(value));
    return values;
  }
  if (auto array = dyn_cast<DenseI64ArrayAttr>(attribute))
    return json::Array(array.asArrayRef());
  if (auto string = dyn_cast<StringAttr>(attribute))
    return json::fixUTF8(string.getValue());
  if (auto integer = dyn_cast<IntegerAttr>(attribute))
    return integer.getValue().getSExtValue();
  return nullptr;
}

Attribute get(ModuleOp module, StringRef name) { return module->getDiscardableAttr(name); }

std::optional<Type> typeOf(MLIRContext *context, StringRef dtype) {
  if (dtype == "f32")
    return Float32Type::get(context);
  if (dtype == "bf16")
    return BFloat16Type::get(context);
  if (dtype == "f16")
    return Float16Type::get(context);
  return std::nullopt;
}

/// The value of an entry's `encoding`; null when it is none.
BlocksAttr encodingOf(OpBuilder &builder, Location loc, Attribute attribute) {
  auto entry = dyn_cast<DictionaryAttr>(attribute);
  auto element = entry ? entry.getAs<StringAttr>("element") : nullptr;
  auto scale = entry ? entry.getAs<StringAttr>("scale") : nullptr;
  auto rows = entry ? entry.getAs<IntegerAttr>("rows") : nullptr;
  auto columns = entry ? entry.getAs<IntegerAttr>("columns") : nullptr;
  if (!element || !scale || !rows || !columns)
    return nullptr;
  auto scaleType = typeOf(builder.getContext(), scale.getValue());
  if (!scaleType ||
      (element.getValue() != "i8" && element.getValue() != "i4" && element.getValue() != "mxfp4"))
    return nullptr;
  Type code = builder.getIntegerType(element.getValue() == "i8" ? 8 : 4);
  return BlocksAttr::getChecked([&] { return emitError(loc); }, builder.getContext(), code,
                                rows.getInt(), columns.getInt(), *scaleType);
}

/// One entry of `weights` as a param; false when it is none.
bool rebuildParam(OpBuilder &builder, Location loc, DictionaryAttr entry) {
  auto name = entry.getAs<StringAttr>("name"), dtype = entry.getAs<StringAttr>("dtype"),
       layout = entry.getAs<StringAttr>("layout"), role = entry.getAs<StringAttr>("role");
  auto shape = entry.getAs<ArrayAttr>("shape"), sources = entry.getAs<ArrayAttr>("sources");
  if (!name || !dtype || !layout || !role || !shape || !sources)
    return false;
  auto type = typeOf(builder.getContext(), dtype.getValue());
  auto layoutKind = symbolizeLayout(layout.getValue());
  auto roleKind = symbolizeRole(role.getValue());
  if (!type || !layoutKind || !roleKind)
    return false;
  Attribute encoding;
  if (auto entryEncoding = entry.get("encoding")) {
    encoding = encodingOf(builder, loc, entryEncoding);
    if (!encoding)
      return false;
  }
  SmallVector<int64_t> sizes, rows;
  SmallVector<Attribute> names;
  for (Attribute size : shape) {
    auto integer = dyn_cast<IntegerAttr>(size);
    if (!integer || integer.getInt() <= 0)
      return false;
    sizes.push_back(integer.getInt());
  }
  for (Attribute source : sources) {
    auto dictionary = dyn_cast<DictionaryAttr>(source);
    auto sourceName = dictionary ? dictionary.getAs<StringAttr>("name") : nullptr;
    auto count = dictionary ? dictionary.getAs<IntegerAttr>("rows") : nullptr;
    if (!sourceName || !count)
      return false;
    names.push_back(sourceName);
    rows.push_back(count.getInt());
  }
  DenseI64ArrayAttr layers;
  if (auto list = entry.getAs<ArrayAttr>("layers")) {
    SmallVector<int64_t> numbers;
    for (Attribute layer : list) {
      auto integer = dyn_cast<IntegerAttr>(layer);
      if (!integer)
        return false;
      numbers.push_back(integer.getInt());
    }
    layers = builder.getDenseI64ArrayAttr(numbers);
  }
  ParamOp::create(
      builder, loc, name, entry.getAs<IntegerAttr>("stack"), entry.getAs<IntegerAttr>("experts"),
      RoleAttr::get(builder.getContext(), *roleKind),
      TypeAttr::get(RankedTensorType::get(sizes, *type, encoding)), builder.getArrayAttr(names),
      builder.getDenseI64ArrayAttr(rows), LayoutAttr::get(builder.getContext(), *layoutKind),
      entry.contains("transposed") ? builder.getUnitAttr() : nullptr,
      entry.contains("alternating") ? builder.getUnitAttr() : nullptr, layers);
  return true;
}
/// The manifest of an artefact that has this variant alone.
json::Object manifestOf(const WriteRequest &request, size_t number) {
  const Variant &variant = request.variants[number];
  ModuleOp module = variant.module;
  auto described = module->getAttrOfType<DictionaryAttr>("sluice.manifest");
  json::Object root;
  root["sluice"] = kManifestVersion;
  root["abi"] = static_cast<int64_t>(SLUICE_ABI_VERSION);
  root["compiler"] = "sluice " SLUICE_VERSION;
  root["name"] = toJson(get(module, "sluice.name"));
  root["kind"] = toJson(get(module, "sluice.kind"));
  root["library"] = libraryName(request, number);
  if (sharesWeightsWith(request, number) != 0)
    root["weight_file"] = weightFileName(request, number);
  for (StringRef part : {"functions", "weights", "kv"})
    root[part] = toJson(described.get(part));
  if (auto ops = described.getAs<ArrayAttr>("ops")) {
    json::Array list;
    for (auto op : ops.getAsRange<DictionaryAttr>()) {
      json::Value value = toJson(op);
      (*value.getAsObject())["reason"] = whyChosen(op, *variant.machine);
      list.push_back(std::move(value));
    }
    root["ops"] = std::move(list);
  }

  json::Object target;
  target["kind"] = "cpu";
  target["triple"] = variant.machine->triple;
  target["cpu"] = variant.machine->cpu;
  target["features"] = json::Array(variant.machine->required);
  target["dot"] = toJson(described.get("dot"));
  root["target"] = std::move(target);

  json::Object limits;
  if (Attribute attribute = get(module, "sluice.limits"))
    limits = *toJson(attribute).getAsObject();
  if (request.maxSeq)
    limits["max_seq"] = *request.maxSeq;
  if (request.maxRows)
    limits["max_rows"] = *request.maxRows;
  if (request.maxBatch)
    limits["max_seqs"] = *request.maxBatch;
  root["limits"] = std::move(limits);
  for (auto [attribute, key] : {std::pair("sluice.embed", "embed"), std::pair("sluice.eos", "eos"),
                                std::pair("sluice.locations", "locations")})
    if (Attribute value = get(module, attribute))
      root[key] = toJson(value);
  return root;
}
} // namespace

std::string libraryName(const WriteRequest &request, size_t variant) {
  return request.variants.size() == 1
             ? "lib/model.so"
             : "lib/model-" + request.variants[variant].machine->cpu + ".so";
}

std::string weightFileName(const WriteRequest &request, size_t variant) {
  size_t owner = sharesWeightsWith(request, variant);
  return owner == 0 ? "weights.safetensors"
                    : "weights-" + request.variants[owner].machine->cpu + ".safetensors";
}

size_t sharesWeightsWith(const WriteRequest &request, size_t variant) {
  auto weights = [&](size_t number) {
    return request.variants[number]
        .module->getAttrOfType<DictionaryAttr>("sluice.manifest")
        .get("weights");
  };
  size_t first = 0;
  while (weights(first) != weights(variant))
    ++first;
  return first;
}

std::string manifestText(const WriteRequest &request) {
  json::Object root = manifestOf(request, 0);
  if (request.variants.size() > 1) {
    // What is the same for all stands once.
    std::vector<json::Object> variants;
    for (size_t i = 0; i < request.variants.size(); ++i)
      variants.push_back(manifestOf(request, i));
    std::vector<std::string> common;
    for (const auto &[key, value] : root)
      if (llvm::all_of(variants, [&, key = StringRef(key)](const json::Object &variant) {
            const json::Value *other = variant.get(key);
            return other && *other == *root.get(key);
          }))
        common.push_back(key.str());
    json::Array list;
    for (json::Object &variant : variants) {
      for (StringRef key : common)
        variant.erase(key);
      list.push_back(std::move(variant));
    }
    json::Object shared;
    for (StringRef key : common)
      shared[key] = *root.get(key);
    shared["sluice"] = kVariantsVersion;
    shared["variants"] = std::move(list);
    root = std::move(shared);
  }
  return llvm::formatv("{0:2}\n", json::Value(std::move(root)));
}

OwningOpRef<ModuleOp> rebuildParams(ModuleOp module) {
  auto described = module->getAttrOfType<DictionaryAttr>("sluice.manifest");
  auto weights = described ? described.getAs<ArrayAttr>("weights") : nullptr;
  bool whole = weights && described.getAs<StringAttr>("dot") &&
               described.getAs<ArrayAttr>("functions") && described.getAs<ArrayAttr>("kv") &&
               module->hasAttrOfType<StringAttr>("sluice.name") &&
               module->hasAttrOfType<StringAttr>("sluice.kind");
  OwningOpRef<ModuleOp> params = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(params->getBody());
  if (whole)
    for (Attribute entry : weights) {
      auto dictionary = dyn_cast<DictionaryAttr>(entry);
      whole &= dictionary && rebuildParam(builder, module.getLoc(), dictionary);
    }
  if (!whole) {
    module.emitError("expects 'sluice.manifest', 'sluice.name' and 'sluice.kind' as "
                     "artifact-describe and the importer write "
                     "them");
    return nullptr;
  }
  for (StringRef name : {"sluice.weights", "sluice.random_seed"})
    if (Attribute value = get(module, name))
      (*params)->setAttr(name, value);
  if (failed(verify(*params)))
    return nullptr;
  return params;
}
} // namespace sluice::artifact
