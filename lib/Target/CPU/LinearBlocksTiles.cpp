// SPDX-License-Identifier: Apache-2.0
//
// See LinearBlocksTiles.h. How a code becomes f32 without a conversion: its bits are put into the
// fraction of a power of two 2^e, where they count as units, and one fma takes 2^e + offset away
// and multiplies by the scale:
//
//   fma(2^e + stored, scale, -(2^e + offset) * scale) = scale * (stored - offset)
//
// The constant is exact as long as (2^e + offset) / offset has 16 bits or fewer beside the scale's
// 8, and the result always is. So most codes need one shift less, and none an extraction.
#include "lib/Target/CPU/LinearBlocksTiles.h"

#include "lib/Target/CPU/Intrinsics.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::SmallVector;

namespace sluice::cpu {

std::string BlocksVariant::format() const {
  return llvm::formatv("blocks_i{0}_{1}", blocks.getBits(), blocks.getColumns());
}

static std::string formatOf(BlocksAttr blocks) {
  return llvm::formatv("blocks_i{0}_{1}", blocks.getBits(), blocks.getColumns());
}

/// How far ahead of itself a tile of few rows fetches its weights, in vectors (see
/// LinearTiles.cpp).
static constexpr int64_t kStreamAhead = 32;

//===-- Decoding ------------------------------------------------------------------------------===//

namespace {

/// Where code j of a word is read: the word shifted by |shift| (left when negative) has it at bit
/// |at|, which counts as a unit under 2^(23 - at).
struct Place {
  int64_t shift, at;
};

/// Places with an exact constant and without more than two shifted words.
Place placeOf(int64_t bits, int64_t code) {
  if (bits == 8) {
    static constexpr Place places[] = {{-8, 8}, {0, 8}, {12, 4}, {12, 12}};
    return places[code];
  }
  // Codes 0 to 3 are the low halves of the bytes, 4 to 7 the high ones.
  static constexpr Place places[] = {{-8, 8},  {0, 8},  {0, 16}, {12, 12},
                                     {-8, 12}, {0, 12}, {12, 8}, {12, 16}};
  return places[code];
}

/// One panel's block: its scale, and the constants of the places, made when they are first needed.
class Decoder {
public:
  Decoder(KernelBuilder &k, BlocksAttr blocks, Val scale) : k(k), blocks(blocks), scale(scale) {
    for (int64_t code = 0; code < blocks.getCodesPerWord(); ++code)
      constant(placeOf(blocks.getBits(), code).at);
  }

  /// The codes of |word| (16 words) as f32, in the order of their inputs.
  SmallVector<Val> decode(Val word) {
    int64_t bits = blocks.getBits(), mask = (int64_t(1) << bits) - 1;
    Val left, right;
    SmallVector<Val> numbers;
    for (int64_t code = 0; code < blocks.getCodesPerWord(); ++code) {
      Place place = placeOf(bits, code);
      Val shifted = word;
      if (place.shift < 0)
        shifted = left ? left : left = word << -place.shift;
      else if (place.shift > 0)
        shifted = right ? right : right = word >> place.shift;
      Val number = (shifted & (mask << place.at)) | ((127 + 23 - place.at) << 23);
      numbers.push_back(k.fma(k.bitcast(number, k.f32Type()), scale, constant(place.at)));
    }
    return numbers;
  }

private:
  Val constant(int64_t at) {
    Val &made = constants[at];
    if (!made)
      made = scale * -static_cast<double>((int64_t(1) << (23 - at)) + blocks.getOffset());
    return made;
  }

  KernelBuilder &k;
  BlocksAttr blocks;
  Val scale;
  std::map<int64_t, Val> constants;
};

/// Sums of a tile, in memory between its calls.
class Sums {
public:
  Sums(KernelBuilder &k, int64_t rows, int64_t panels, int64_t sumStride, const BlocksTile &tile)
      : k(k), array(tile.sums) {
    for (int64_t p = 0; p < panels; ++p)
      for (int64_t r = 0; r < rows; ++r)
        at.push_back(tile.sumAt + (r * sumStride + p * kLanes));
  }
  SmallVector<Val> load(Val first) {
    return k.choose(
        first, [&] { return SmallVector<Val>(at.size(), k.splat(0)); },
        [&] { return llvm::map_to_vector(at, [&](Val a) { return k.loadVector(array, a); }); });
  }
  void store(ArrayRef<Val> sums) {
    for (auto [a, value] : llvm::zip(at, sums))
      k.store(value, array, a);
  }

  SmallVector<Val> at; ///< [panel][row]

private:
  KernelBuilder &k;
  Val array;
};

} // namespace

static Val loadScale(KernelBuilder &k, const BlocksTile &t, int64_t panel, Val block) {
  return k.extend(k.loadVector(t.scales, t.scaleAt + t.scaleStride * panel + block * kLanes));
}

static int64_t wordsPerBlock(BlocksAttr blocks) {
  return blocks.getColumns() / blocks.getCodesPerWord();
}

/// Operands of a tile as a kernel takes them.
static SmallVector<Val> listOf(const BlocksTile &t) {
  SmallVector<Val> all = {t.words,   t.wordAt,      t.wordStride, t.scales,
                          t.scaleAt, t.scaleStride, t.rows,       t.rowAt};
  if (t.rowScales)
    all.append({t.rowScales, t.starts, t.blockAt, t.dest, t.destAt, t.destStride, t.linesAhead});
  else
    all.push_back(t.rowStride);
  all.append({t.sums, t.sumAt, t.blocks, t.first, t.aheadAt});
  return all;
}

static BlocksTile tileOf(ArrayRef<Val> v, bool coded) {
  BlocksTile t;
  t.words = v[0], t.wordAt = v[1], t.wordStride = v[2];
  t.scales = v[3], t.scaleAt = v[4], t.scaleStride = v[5];
  t.rows = v[6], t.rowAt = v[7];
  v = v.drop_front(8);
  if (coded) {
    t.rowScales = v[0], t.starts = v[1], t.blockAt = v[2];
    t.dest = v[3], t.destAt = v[4], t.destStride = v[5], t.linesAhead = v[6];
    v = v.drop_front(7);
  } else {
    t.rowStride = v[0];
    v = v.drop_front(1);
  }
  t.sums = v[0], t.sumAt = v[1], t.blocks = v[2], t.first = v[3], t.aheadAt = v[4];
  return t;
}

static SmallVector<Type> typesOf(ArrayRef<Val> values) {
  return llvm::map_to_vector(values, [](Val v) { return v.type(); });
}

void callDecodingTile(KernelBuilder &k, ModuleOp module, BlocksAttr blocks, int64_t rows,
                      int64_t panels, int64_t sumStride, const BlocksTile &tile) {
  SmallVector<Val> operands = listOf(tile);
  std::string name = llvm::formatv("linear_tile_{0}_{1}x{2}", formatOf(blocks), rows, panels);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        BlocksTile t = tileOf(v, /*coded=*/false);
        Sums held(k, rows, panels, sumStride, t);
        int64_t words = wordsPerBlock(blocks), perWord = blocks.getCodesPerWord();
        SmallVector<Val> sums = k.reductionLoop(
            0, t.blocks, 1, held.load(t.first), [&](Val block, ArrayRef<Val> outer) {
              SmallVector<Decoder> decoders;
              for (int64_t p = 0; p < panels; ++p)
                decoders.emplace_back(k, blocks, loadScale(k, t, p, block));
              return k.reductionLoop(0, words, 1, outer, [&](Val w, ArrayRef<Val> carried) {
                SmallVector<Val> next(carried);
                Val word = block * words + w;
                for (int64_t p = 0; p < panels; ++p) {
                  Val at = t.wordAt + t.wordStride * p + word * kLanes;
                  k.prefetch(t.words, at + kStreamAhead * kLanes);
                  SmallVector<Val> numbers = decoders[p].decode(k.loadVector(t.words, at));
                  for (auto [code, number] : llvm::enumerate(numbers))
                    for (int64_t r = 0; r < rows; ++r) {
                      Val x = k.broadcastLoad(t.rows, t.rowAt + t.rowStride * r + word * perWord +
                                                          static_cast<int64_t>(code));
                      next[p * rows + r] = k.fma(x, number, next[p * rows + r]);
                    }
                }
                return next;
              });
            });
        held.store(sums);
      });
  k.call(kernel, operands);
}

void callDecode(KernelBuilder &k, ModuleOp module, BlocksAttr blocks, int64_t panels,
                int64_t destStride, const BlocksTile &tile, Val dest) {
  SmallVector<Val> operands = {tile.words,   tile.wordAt,      tile.wordStride, tile.scales,
                               tile.scaleAt, tile.scaleStride, tile.blocks,     dest};
  std::string name = llvm::formatv("linear_decode_{0}_{1}", formatOf(blocks), panels);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        BlocksTile t;
        t.words = v[0], t.wordAt = v[1], t.wordStride = v[2];
        t.scales = v[3], t.scaleAt = v[4], t.scaleStride = v[5];
        int64_t words = wordsPerBlock(blocks), perWord = blocks.getCodesPerWord();
        for (int64_t p = 0; p < panels; ++p)
          k.forLoop(0, v[6], 1, [&](Val block) {
            Decoder decoder(k, blocks, loadScale(k, t, p, block));
            k.forLoop(0, words, 1, [&](Val w) {
              Val word = block * words + w;
              Val codes = k.loadVector(t.words, t.wordAt + t.wordStride * p + word * kLanes);
              for (auto [code, number] : llvm::enumerate(decoder.decode(codes)))
                k.store(number, v[7],
                        (word * perWord + static_cast<int64_t>(code)) * kLanes + p * destStride);
            });
          });
      });
  k.call(kernel, operands);
}

void callDecodedTile(KernelBuilder &k, ModuleOp module, int64_t rows, int64_t panels, int64_t chunk,
                     int64_t destStride, int64_t sumStride, Val decoded, Val inputs,
                     const BlocksTile &tile) {
  SmallVector<Val> operands = {decoded,   inputs,     tile.rows,  tile.rowAt, tile.rowStride,
                               tile.sums, tile.sumAt, tile.first, tile.words, tile.aheadAt};
  std::string name =
      llvm::formatv("linear_tile_decoded_{0}x{1}_{2}_{3}", rows, panels, destStride, chunk);
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        BlocksTile t;
        t.rows = v[2], t.rowAt = v[3], t.rowStride = v[4];
        t.sums = v[5], t.sumAt = v[6], t.first = v[7], t.words = v[8], t.aheadAt = v[9];
        Sums held(k, rows, panels, sumStride, t);
        SmallVector<Val> rowAt;
        for (int64_t r = 0; r < rows; ++r)
          rowAt.push_back(t.rowAt + t.rowStride * r);
        // Rows are taken in chunks, so that each may fetch a line of the next step's codes.
        SmallVector<Val> sums = k.reductionLoop(
            0, v[1], chunk, held.load(t.first), [&](Val begin, ArrayRef<Val> outer) {
              k.prefetch(t.words, t.aheadAt + begin / chunk * kLanes, 2);
              // One input a step: with more the scheduler loads ahead until sums leave registers.
              return k.reductionLoop(0, chunk, 1, outer, [&](Val more, ArrayRef<Val> carried) {
                SmallVector<Val> next(carried);
                Val input = begin + more;
                SmallVector<Val> weights;
                for (int64_t p = 0; p < panels; ++p)
                  weights.push_back(k.loadVector(v[0], input * kLanes + p * destStride));
                for (int64_t r = 0; r < rows; ++r) {
                  Val x = k.broadcastLoad(t.rows, rowAt[r] + input);
                  for (int64_t p = 0; p < panels; ++p)
                    next[p * rows + r] = k.fma(x, weights[p], next[p * rows + r]);
                }
                return next;
              });
            });
        held.store(sums);
      });
  k.call(kernel, operands);
}

//===-- Rows as codes -------------------------------------------------------------------------===//

/// The integer sums of one block: [panel][row].
static SmallVector<Val> sumBlock(KernelBuilder &k, const CPUMachine &machine, BlocksAttr blocks,
                                 int64_t rows, int64_t panels, const BlocksTile &t, Val block) {
  SmallVector<Val> starts;
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t r = 0; r < rows; ++r)
      starts.push_back(k.broadcastLoad(t.starts, t.blockAt + block * rows + r));
  int64_t words = wordsPerBlock(blocks);
  bool halves = blocks.getBits() == 4;
  // Two words a turn: a short loop that often ends is often guessed wrong.
  int64_t turn = 2;
  return k.reductionLoop(0, words, turn, starts, [&](Val w, ArrayRef<Val> carried) {
    SmallVector<Val> next(carried);
    for (int64_t more = 0; more < turn; ++more) {
      Val word = block * words + w + more;
      SmallVector<Val> weights;
      for (int64_t p = 0; p < panels; ++p) {
        Val at = t.wordAt + t.wordStride * p + word * kLanes;
        if (rows <= 2)
          k.prefetch(t.words, at + kStreamAhead * kLanes);
        weights.push_back(k.loadVector(t.words, at));
      }
      for (int64_t half = 0; half < (halves ? 2 : 1); ++half) {
        SmallVector<Val> codes = weights;
        if (halves)
          for (Val &code : codes)
            code = (half ? code >> 4 : code) & 0x0f0f0f0f;
        Val rowWord = halves ? word * 2 + half : word;
        for (int64_t r = 0; r < rows; ++r) {
          Val x = k.broadcastLoad(t.rows, t.rowAt + rowWord * rows + r);
          for (int64_t p = 0; p < panels; ++p)
            next[p * rows + r] = dot4(k, machine, next[p * rows + r], codes[p], x);
        }
      }
    }
    return next;
  });
}

void callCodedTile(KernelBuilder &k, ModuleOp module, const CPUMachine &machine, BlocksAttr blocks,
                   int64_t rows, int64_t panels, int64_t sumStride, const BlocksTile &tile) {
  SmallVector<Val> operands = listOf(tile);
  std::string name = llvm::formatv("linear_tile_coded_{0}_{1}x{2}_to_{3}", formatOf(blocks), rows,
                                   panels, tile.dest.element());
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        BlocksTile t = tileOf(v, /*coded=*/true);
        Sums held(k, rows, panels, sumStride, t);
        // Registers are for integers; the sums that blocks join wait in L1.
        k.ifThen(t.first, [&] { held.store(SmallVector<Val>(rows * panels, k.splat(0))); });
        k.forLoop(0, t.blocks, 1, [&](Val block) {
          keepInMemory(k);
          if (rows > 2) {
            k.forLoop(0, t.linesAhead, 1, [&](Val line) {
              k.prefetch(t.words, t.aheadAt + (block * wordsPerBlock(blocks) + line) * kLanes, 2);
            });
            // Lines that results go to: a quarter of the rows with each block.
            int64_t quarter = std::max<int64_t>(1, rows / 4);
            for (int64_t r = 0; r < quarter; ++r)
              for (int64_t p = 0; p < panels; ++p)
                k.prefetchForStore(t.dest, t.destAt + (block % 4 * quarter + r) * t.destStride +
                                               p * kLanes);
          }
          SmallVector<Val> integers = sumBlock(k, machine, blocks, rows, panels, t, block);
          SmallVector<Val> scales;
          for (int64_t p = 0; p < panels; ++p)
            scales.push_back(loadScale(k, t, p, block));
          for (int64_t r = 0; r < rows; ++r) {
            Val rowScale = k.broadcastLoad(t.rowScales, t.blockAt + block * rows + r);
            for (int64_t p = 0; p < panels; ++p) {
              Val at = held.at[p * rows + r];
              k.store(k.fma(k.toF32(integers[p * rows + r]), scales[p] * rowScale,
                            k.loadVector(t.sums, at)),
                      t.sums, at);
            }
          }
        });
      });
  k.call(kernel, operands);
}

//===-- Rows ----------------------------------------------------------------------------------===//

/// Where row |r| of the source begins behind the place of row 0, whose stride is operand 2: by the
/// list that begins at operand |list|, if there are so many.
static Val rowOffset(ArrayRef<Val> v, size_t list, Val r) {
  if (v.size() == list)
    return r * v[2];
  RowList rows{v[list], v[list + 1], v[list + 2], {}};
  return rows.offset(v[list + 3] + r, v[2], rows.inner);
}

void callCopyRows(KernelBuilder &k, ModuleOp module, Type rows, Val source, Val sourceAt,
                  Val sourceStride, Val count, Val inputs, Val padded, Val dest, Val destStride,
                  const RowList &list, Val sourceRow) {
  SmallVector<Val> operands = {source, sourceAt, sourceStride, count,
                               inputs, padded,   dest,         destStride};
  std::string name = llvm::formatv("linear_copy_{0}{1}", rows, list ? "_listed" : "");
  if (list)
    operands.append({list.order, list.at, list.inner, sourceRow});
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        Val whole = v[4] / kLanes * kLanes;
        k.forLoop(0, v[3], 1, [&](Val r) {
          Val from = v[1] + rowOffset(v, 8, r), to = r * v[7];
          k.forLoop(0, whole, kLanes,
                    [&](Val i) { k.store(k.extend(k.loadVector(v[0], from + i)), v[6], to + i); });
          k.forLoop(whole, v[5], kLanes, [&](Val i) {
            k.store(k.extend(k.maskedLoad(v[0], from + i, k.firstLanes(v[4] - i))), v[6], to + i);
          });
        });
      });
  k.call(kernel, operands);
}

namespace {

/// One block of one row: from numbers to codes, a scale and a start.
struct BlockEncoder {
  void emit();

  KernelBuilder &k;
  BlocksAttr encoding;
  int64_t together;
  Val source, from;   ///< the block's first number
  Val there;          ///< so many inputs; empty: all
  Val words, wordsAt; ///< the block's first word
  Val scales, starts, at;
  Val usable = {}, inverse = {};

  Val load(Val i) {
    if (there)
      return k.extend(k.maskedLoad(source, from + i, k.firstLanes(there - i)));
    k.prefetch(source, from + i + 2 * encoding.getColumns());
    return k.extend(k.loadVector(source, from + i));
  }
  Val encode(Val sum, Val x, Val i);
};

} // namespace

/// What is added to a number of few bits so that its nearest integer, ties to even, is the low bits
/// of the sum; and those bits of 0.
static constexpr float kRounder = 0x1.8p23;
static constexpr uint32_t kRounderBits = 0x4b400000;

Val BlockEncoder::encode(Val sum, Val x, Val i) {
  // NaN and Inf have no code; their scale says what they are.
  Val bits = k.bitcast(k.select(usable, x, k.splat(0)) * inverse + kRounder, k.i32Type());
  Val narrow = k.val(arith::TruncIOp::create(
      k.builder(), k.location(), VectorType::get({kLanes}, k.builder().getI8Type()), bits));
  Val four = k.bitcast(narrow, k.i32Type());
  for (int64_t word = 0; word < kLanes / 4; ++word)
    k.store(k.extract(four, word), words, wordsAt + (i / 4 + word) * together);
  return sum + bits;
}

void BlockEncoder::emit() {
  int64_t columns = encoding.getColumns();
  auto scalar = [&](Val value, Type type) {
    return k.val(arith::BitcastOp::create(k.builder(), k.location(), type, value));
  };
  // Bits of magnitudes are ordered as integers, NaN above Inf above all numbers.
  auto magnitudes = [&](Val most, Val x) {
    return k.max(most, k.bitcast(x, k.i32Type()) & 0x7fffffff);
  };
  // Up to eight vectors stay in registers.
  SmallVector<Val> held;
  Val largest = k.splatI32(0);
  bool holds = !there && columns <= 8 * kLanes;
  if (holds)
    for (int64_t i = 0; i < columns; i += kLanes) {
      held.push_back(load(k.index(i)));
      largest = magnitudes(largest, held.back());
    }
  else
    largest = k.forLoop(0, columns, kLanes, {largest},
                        [&](Val i, ArrayRef<Val> carried) -> SmallVector<Val> {
                          return {magnitudes(carried[0], load(i))};
                        })[0];
  largest = k.laneMax(largest);
  Val magnitude = scalar(largest, k.f32Type());
  usable = (largest < k.i32(0x7f800000)) & (magnitude >= 0x1p-100);
  inverse = k.select(usable, k.f32(127) / magnitude, k.f32(0));
  Val sum = k.splatI32(0);
  if (holds)
    for (auto [i, x] : llvm::enumerate(held))
      sum = encode(sum, x, k.index(static_cast<int64_t>(i) * kLanes));
  else
    sum =
        k.forLoop(0, columns, kLanes, {sum}, [&](Val i, ArrayRef<Val> carried) -> SmallVector<Val> {
          return {encode(carried[0], load(i), i)};
        })[0];
  auto roundersBits = static_cast<int32_t>(kRounderBits * static_cast<uint32_t>(columns));
  k.store(k.select(magnitude < 0x1p-100, k.f32(0), magnitude / 127), scales, at);
  k.store((k.laneSum(sum) - k.i32(roundersBits)) * static_cast<double>(-encoding.getOffset()),
          starts, at);
}

void callEncodeRows(KernelBuilder &k, ModuleOp module, BlocksAttr encoding, int64_t together,
                    Type rows, Val source, Val sourceAt, Val sourceStride, Val count, Val inputs,
                    Val blocks, Val words, Val scales, Val starts, Val dest, Val wordStride,
                    Val blockStride, const RowList &list, Val sourceRow) {
  SmallVector<Val> operands = {source, sourceAt, sourceStride, count, inputs,     blocks,
                               words,  scales,   starts,       dest,  wordStride, blockStride};
  std::string name =
      llvm::formatv("linear_encode_{0}_{1}_{2}_by_{3}{4}", rows, encoding.getColumns(),
                    encoding.getOffset(), together, list ? "_listed" : "");
  if (list)
    operands.append({list.order, list.at, list.inner, sourceRow});
  func::FuncOp kernel =
      getOrCreateKernel(module, name, typesOf(operands), [&](KernelBuilder &k, ArrayRef<Val> v) {
        Val inputs = v[4], blocks = v[5];
        int64_t columns = encoding.getColumns();
        Val whole = k.min(inputs / columns, blocks);
        // Block by block: a tile's rows write the same lines.
        k.forLoop(0, v[3], together, [&](Val tile) {
          Val first = v[9] + tile;
          auto encodeBlock = [&](Val block, Val there) {
            k.forLoop(0, together, 1, [&](Val place) {
              Val from = v[1] + rowOffset(v, 12, tile + place) + block * columns;
              Val wordsAt = first * v[10] + block * (columns / 4 * together) + place;
              Val at = first * v[11] + block * together + place;
              BlockEncoder{k, encoding, together, v[0], from, there, v[6], wordsAt, v[7], v[8], at}
                  .emit();
            });
          };
          k.forLoop(0, whole, 1, [&](Val block) { encodeBlock(block, Val()); });
          k.forLoop(whole, blocks, 1,
                    [&](Val block) { encodeBlock(block, inputs - block * columns); });
        });
      });
  k.call(kernel, operands);
}

} // namespace sluice::cpu
