// SPDX-License-Identifier: Apache-2.0
//
// Attributes become JSON as they are: dictionaries are objects with sorted keys, so the text is the
// same every time.

#include "lib/Artifact/Manifest.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "sluice-rt/kernel_abi.h"

using namespace mlir;

namespace json = llvm::json;

namespace sluice::artifact {
namespace {
constexpr int64_t kManifestVersion = 1;

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
  ParamOp::create(builder, loc, name, entry.getAs<IntegerAttr>("stack"),
                  RoleAttr::get(builder.getContext(), *roleKind),
                  TypeAttr::get(RankedTensorType::get(sizes, *type)), builder.getArrayAttr(names),
                  builder.getDenseI64ArrayAttr(rows),
                  LayoutAttr::get(builder.getContext(), *layoutKind));
  return true;
}
} // namespace

std::string manifestText(const WriteRequest &request) {
  ModuleOp module = request.module;
  auto described = module->getAttrOfType<DictionaryAttr>("sluice.manifest");
  json::Object root;
  root["sluice"] = kManifestVersion;
  root["abi"] = static_cast<int64_t>(SLUICE_ABI_VERSION);
  root["compiler"] = "sluice " SLUICE_VERSION;
  root["name"] = toJson(get(module, "sluice.name"));
  root["kind"] = toJson(get(module, "sluice.kind"));
  root["library"] = "lib/model.so";
  for (StringRef part : {"functions", "weights", "kv"})
    root[part] = toJson(described.get(part));

  json::Object target;
  target["kind"] = "cpu";
  target["triple"] = request.machine->triple;
  target["cpu"] = request.machine->cpu;
  target["features"] = json::Array(request.machine->required);
  target["dot"] = toJson(described.get("dot"));
  root["target"] = std::move(target);

  json::Object limits;
  if (Attribute attribute = get(module, "sluice.limits"))
    limits = *toJson(attribute).getAsObject();
  if (request.maxSeq)
    limits["max_seq"] = *request.maxSeq;
  root["limits"] = std::move(limits);
  for (auto [attribute, key] : {std::pair("sluice.embed", "embed"), std::pair("sluice.eos", "eos"),
                                std::pair("sluice.locations", "locations")})
    if (Attribute value = get(module, attribute))
      root[key] = toJson(value);
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
