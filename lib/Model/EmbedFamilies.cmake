# SPDX-License-Identifier: Apache-2.0
# Writes a C++ table {"name", R"yaml(text)yaml"} of family files: cmake -DOUT=... -DFILES=a;b -P EmbedFamilies.cmake
set(table "// Written by EmbedFamilies.cmake.\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(LENGTH "${text}" length)
  # Compilers must accept literals of this length (C++17, Annex B); a longer family is a sign to split it.
  if(length GREATER 65000)
    message(FATAL_ERROR "${file} is longer than a string literal may be")
  endif()
  string(APPEND table "{\"${name}\", R\"yaml(${text})yaml\"},\n")
endforeach()
file(WRITE ${OUT} "${table}")
