// SPDX-License-Identifier: Apache-2.0
//
// Mutations that know text: numbers become other numbers, words become words that stand elsewhere
// in the input, lines move. A byte changed at random hardly ever gives a text that parses; these
// often do, and so reach the checks behind the parser. One in four is libFuzzer's own.

#include <cctype>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

namespace {
using Random = std::minstd_rand;

struct Token {
  size_t begin, end;
  enum Kind { Number, Word, String, Mark } kind;
};

std::vector<Token> tokensOf(const std::string &text) {
  std::vector<Token> tokens;
  auto wordChar = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  };
  for (size_t i = 0; i < text.size() && tokens.size() < 20000;) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    size_t begin = i++;
    if (std::isspace(c))
      continue;
    if (c == '"') {
      while (i < text.size() && text[i] != '"' && text[i] != '\n')
        i += text[i] == '\\' ? 2 : 1;
      i = std::min(i + 1, text.size());
      tokens.push_back({begin, i, Token::String});
    } else if (std::isdigit(c) ||
               (c == '-' && i < text.size() && std::isdigit((unsigned char)text[i]))) {
      while (i < text.size() && (std::isdigit((unsigned char)text[i]) || text[i] == '.'))
        ++i;
      tokens.push_back({begin, i, Token::Number});
    } else if (wordChar(char(c)) || c == '%' || c == '@' || c == '!' || c == '#') {
      while (i < text.size() && wordChar(text[i]))
        ++i;
      tokens.push_back({begin, i, Token::Word});
    } else {
      tokens.push_back({begin, i, Token::Mark});
    }
  }
  return tokens;
}

struct Line {
  size_t begin, end;
};

std::vector<Line> linesOf(const std::string &text) {
  std::vector<Line> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end + 1;
    lines.push_back({at, end});
    at = end;
  }
  return lines;
}

const char *const numbers[] = {"0",
                               "1",
                               "-1",
                               "2",
                               "3",
                               "15",
                               "16",
                               "17",
                               "64",
                               "127",
                               "128",
                               "255",
                               "256",
                               "1023",
                               "4096",
                               "65536",
                               "1000000007",
                               "2147483647",
                               "2147483648",
                               "4294967296",
                               "-2147483649",
                               "4611686018427387904",
                               "9223372036854775807",
                               "9223372036854775808",
                               "-9223372036854775808",
                               "18446744073709551615",
                               "184467440737095516160",
                               "1e9",
                               "1e400",
                               "0.5",
                               "-0.0",
                               "1e-40",
                               "?",
                               "nan"};

const char *const pieces[] = {"{",
                              "}",
                              "[",
                              "]",
                              "(",
                              ")",
                              "<",
                              ">",
                              ",",
                              ":",
                              "=",
                              "\"",
                              "-> ",
                              "null",
                              "true",
                              "false",
                              "\\u0000",
                              "\\ud800",
                              "\xff",
                              "\xc3\xa9",
                              "[[[[[[[[",
                              "{}",
                              "[]",
                              "\n",
                              "  ",
                              "- ",
                              "#",
                              "%",
                              "@",
                              "!",
                              "x",
                              "f32",
                              "bf16",
                              "i32",
                              "i64",
                              "index",
                              "tensor<?xf32>",
                              "memref<4xf32>",
                              "dense<0>",
                              "array<i64>",
                              "unit",
                              "loc(unknown)",
                              "../",
                              "/"};

template <typename T>
const T &pick(const std::vector<T> &list, Random &random) {
  return list[random() % list.size()];
}

void change(std::string &text, Random &random) {
  std::vector<Token> tokens = tokensOf(text);
  auto kindOf = [&](Token::Kind kind) {
    std::vector<Token> found;
    for (const Token &token : tokens)
      if (token.kind == kind)
        found.push_back(token);
    return found;
  };
  auto textOf = [&](const Token &token) {
    return text.substr(token.begin, token.end - token.begin);
  };
  auto replace = [&](const Token &token, const std::string &with) {
    text.replace(token.begin, token.end - token.begin, with);
  };
  if (tokens.empty()) {
    text += pieces[random() % (sizeof pieces / sizeof pieces[0])];
    return;
  }
  switch (random() % 12) {
  case 0:
  case 1:
  case 2: { // another number
    std::vector<Token> found = kindOf(Token::Number);
    if (found.empty())
      break;
    Token token = pick(found, random);
    std::string now = textOf(token);
    if (random() % 3 == 0)
      replace(token, textOf(pick(found, random)));
    else if (random() % 3 == 0 && now.size() < 18 && now.find('.') == std::string::npos)
      replace(token, std::to_string(std::atoll(now.c_str()) + int(random() % 5) - 2));
    else
      replace(token, numbers[random() % (sizeof numbers / sizeof numbers[0])]);
    return;
  }
  case 3:
  case 4: { // another word, or another string, of this text
    std::vector<Token> found = kindOf(random() % 3 ? Token::Word : Token::String);
    if (found.empty())
      break;
    Token token = pick(found, random);
    replace(token, textOf(pick(found, random)));
    return;
  }
  case 5: { // any token by any other
    Token token = pick(tokens, random);
    replace(token, textOf(pick(tokens, random)));
    return;
  }
  case 6: { // a few tokens less
    size_t first = random() % tokens.size(),
           last = std::min(first + random() % 4, tokens.size() - 1);
    text.erase(tokens[first].begin, tokens[last].end - tokens[first].begin);
    return;
  }
  case 7: { // something more
    Token token = pick(tokens, random);
    text.insert(random() % 2 ? token.begin : token.end,
                pieces[random() % (sizeof pieces / sizeof pieces[0])]);
    return;
  }
  case 8: { // a piece twice
    size_t first = random() % tokens.size(),
           last = std::min(first + random() % 12, tokens.size() - 1);
    std::string piece = text.substr(tokens[first].begin, tokens[last].end - tokens[first].begin);
    text.insert(pick(tokens, random).begin, piece + " ");
    return;
  }
  case 9: { // a line less
    std::vector<Line> lines = linesOf(text);
    Line line = pick(lines, random);
    text.erase(line.begin, line.end - line.begin);
    return;
  }
  case 10: { // a line elsewhere, or twice
    std::vector<Line> lines = linesOf(text);
    Line line = pick(lines, random);
    std::string piece = text.substr(line.begin, line.end - line.begin);
    if (random() % 2)
      text.insert(pick(lines, random).begin, piece);
    else {
      text.erase(line.begin, line.end - line.begin);
      lines = linesOf(text);
      text.insert(lines.empty() ? 0 : pick(lines, random).begin, piece);
    }
    return;
  }
  default: { // two tokens change places
    Token a = pick(tokens, random), b = pick(tokens, random);
    if (a.begin > b.begin)
      std::swap(a, b);
    if (a.begin == b.begin)
      break;
    std::string first = textOf(a), second = textOf(b);
    replace(b, first);
    replace(a, second);
    return;
  }
  }
  text.insert(pick(tokens, random).begin, pieces[random() % (sizeof pieces / sizeof pieces[0])]);
}
} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  Random random(seed);
  if (random() % 4 == 0)
    return LLVMFuzzerMutate(data, size, maxSize);
  std::string text(reinterpret_cast<char *>(data), size);
  for (unsigned changes = 1 + random() % 3; changes; --changes)
    change(text, random);
  size_t length = std::min(text.size(), maxSize);
  if (length)
    std::memcpy(data, text.data(), length);
  return length;
}
